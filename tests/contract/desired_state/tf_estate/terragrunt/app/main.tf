variable "size" {
  default = "m5.large"
}

resource "aws_instance" "app" {
  instance_type = var.size
}
