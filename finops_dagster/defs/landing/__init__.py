"""Deliveries become Parquet in the landing zone."""
