"""`finops`: a thin face over the product for people and scripts.

Commands parse, call and print; whatever they do lives elsewhere.
"""

from finops_dagster.cli.main import app, main

__all__ = ["app", "main"]
