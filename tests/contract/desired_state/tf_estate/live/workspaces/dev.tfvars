instance_type = "e2-small"
