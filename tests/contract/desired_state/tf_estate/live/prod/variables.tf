variable "archive_gib" {
  type    = number
  default = 2000
}

variable "archive_type" {
  default = "io2"
}

variable "cache_node_type" {
  type = string
}

variable "is_big" {
  default = true
}

variable "suffix" {
  default = "eu"
}
