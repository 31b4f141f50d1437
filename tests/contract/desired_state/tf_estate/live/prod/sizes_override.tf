resource "aws_autoscaling_group" "api" {
  max_size = 20
}
