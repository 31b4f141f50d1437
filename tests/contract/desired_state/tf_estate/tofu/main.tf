resource "aws_db_instance" "reports" {
  instance_class = "db.m5.large"
}
