# Later files win: this one is loaded after terraform.tfvars.
archive_type = "gp3"
