"""dbt on DuckDB as Dagster assets: one set per clock."""
