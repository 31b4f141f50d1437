"""Where a mart's columns come from, kept for as long as its SQL says the same.

Dagster reads the SQL of every mart at every build: a fifth of the time of a day's run. From day to
day it differs in literals alone, and those are no columns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator

from finops_dagster.defs.warehouse.project import LINEAGE, parsed_folder
from finops_dagster.domain.ids import content_id
from finops_dagster.storage.files import write_json

_LINEAGE = "dagster/column_lineage"
_LITERAL = re.compile(r"'(?:[^']|'')*'|\b\d+(?:\.\d+)?\b")


def column_lineage(
    invocation: DbtCliInvocation, node: Mapping[str, Any], event: Any
) -> dict[str, Any]:
    """Metadata with the lineage of what a build has just built; {} where none can be told.

    It is kept beside what was parsed, by that parsing and the mart's SQL without its literals.
    """
    folder = parsed_folder(Path(invocation.project_dir)) / LINEAGE
    compiled = (
        invocation.target_path / "compiled" / node["package_name"] / node["original_file_path"]
    )
    said = [
        str(invocation.manifest["metadata"]["invocation_id"]),
        str(node["unique_id"]),
        _LITERAL.sub("?", compiled.read_text(encoding="utf-8")),
    ]
    kept = folder / f"{content_id('lineage', said)}.json"
    if kept.exists():
        read = dg.deserialize_value(kept.read_text("utf-8"), dg.TableColumnLineageMetadataValue)
        return {_LINEAGE: read}
    told = next(DbtEventIterator(iter([event]), invocation).fetch_column_metadata())
    lineage = told.metadata.get(_LINEAGE)
    if not isinstance(lineage, dg.TableColumnLineageMetadataValue):
        return {}
    write_json(kept, json.loads(dg.serialize_value(lineage)))
    return {_LINEAGE: lineage}
