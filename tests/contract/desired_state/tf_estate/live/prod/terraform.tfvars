archive_type    = "io1"
cache_node_type = "cache.r6g.large"
