variable "name" {
  type = string
}

variable "instance_class" {
  type = string
}

variable "storage_gib" {
  default = 500
}

resource "aws_db_instance" "this" {
  identifier        = var.name
  instance_class    = var.instance_class
  allocated_storage = var.storage_gib
  engine            = "postgres"
}
