"""YAML that people write beside the settings: read with line marks, typed, and refused by line.

What any of these documents means is the business of whoever reads it.
"""

from finops_dagster.documents.typed import Typed, read_typed

__all__ = ["Typed", "read_typed"]
