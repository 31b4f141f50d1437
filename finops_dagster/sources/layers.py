"""Typed columns in layers of SELECTs: each layer may use what the ones below it have.

DuckDB writes an alias out wherever the same SELECT uses it, so that values which follow from each
other in one SELECT grow without bound; between SELECTs a value is computed once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from finops_dagster.sources.parsing import identifier

_WORD = re.compile(r"'(?:[^']|'')*'|[A-Za-z_]\w*")


def layered(values: Mapping[str, str], source: str) -> str:
    """SQL of a SELECT of all columns of `source` and of `values`, which may use earlier values."""
    layer_of: dict[str, int] = {}
    for name, sql in values.items():
        used = [layer_of[word] for word in _WORD.findall(sql) if word in layer_of]
        layer_of[name] = max(used, default=-1) + 1
    for layer in range(max(layer_of.values(), default=-1) + 1):
        columns = "".join(
            f", {sql} AS {identifier(name)}"
            for name, sql in values.items()
            if layer_of[name] == layer
        )
        source = f"(SELECT *{columns} FROM {source})"
    return f"SELECT * FROM {source}"
