# Production: three root modules share the modules beside this folder.
terraform {
  required_version = ">= 1.5"
}

provider "aws" {
  region = "eu-west-1"
  default_tags {
    tags = {
      cost_center = "CC-1130"
    }
  }
}

locals {
  common = {
    team        = "checkout"
    environment = "prod"
  }
  sizes = {
    web    = "m6i.xlarge" # measured in spring
    worker = "m6i.large"
  }
}

resource "aws_instance" "bastion" {
  ami           = "ami-0c1d2e3f4a5b6c7d8"
  instance_type = "t3.medium" # "t3.large" until May
  tags          = merge(local.common, { Name = "bastion" })

  root_block_device {
    volume_size = 200 # GiB
    volume_type = "gp3"
  }
}

resource "aws_instance" "web" {
  ami           = data.aws_ami.base.id
  instance_type = local.sizes["web"]
  user_data     = <<-EOT
    #!/bin/sh
    echo started
  EOT
}

resource "aws_instance" "worker" {
  for_each      = toset(["a", "b"])
  ami           = data.aws_ami.base.id
  instance_type = "c6i.2xlarge"
}

resource "aws_instance" "batch" {
  count         = 4
  ami           = data.aws_ami.base.id
  instance_type = var.is_big ? "c6i.4xlarge" : "c6i.large"
}

resource "aws_autoscaling_group" "api" {
  name             = "api-${var.suffix}"
  min_size         = 6
  max_size         = 12
  desired_capacity = 8

  lifecycle {
    ignore_changes = [desired_capacity]
  }
}

resource "aws_ebs_volume" "archive" {
  availability_zone = "eu-west-1a"
  size              = var.archive_gib
  type              = var.archive_type
}

resource "aws_elasticache_cluster" "sessions" {
  cluster_id = "sessions"
  node_type  = var.cache_node_type
}

module "orders" {
  source         = "../../modules/database"
  name           = "orders"
  instance_class = "db.m6g.xlarge"
}

module "audit" {
  source         = "../../modules/database"
  name           = "audit"
  instance_class = "db.t4g.large"
  storage_gib    = 50
}

module "warehouse" {
  source         = "terraform-aws-modules/rds/aws"
  version        = "6.5.2"
  identifier     = "warehouse"
  instance_class = "db.r6g.2xlarge"
}

data "aws_ami" "base" {
  most_recent = true
  owners      = ["self"]
}
