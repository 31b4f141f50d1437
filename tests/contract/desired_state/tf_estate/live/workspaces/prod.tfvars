instance_type = "e2-standard-8"
