"""What dbt's events show beside dbt's own words: rows of each mart, where its columns come from.

How a model is named in Dagster lives in translator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from finops_dagster.defs.metadata import each_partition
from finops_dagster.defs.warehouse.lineage import column_lineage
from finops_dagster.storage.publication import warehouse_rows


def described(
    context: dg.AssetExecutionContext,
    invocation: DbtCliInvocation,
    warehouse: Path,
    told: Mapping[str, Callable[[], Mapping[str, Any]]] | None = None,
) -> Iterator[Any]:
    """Every event of a dbt build in its order; those of marts with row counts and column lineage.

    They come when dbt has ended and so given the `warehouse` file back. `told`: what else is to be
    shown of a mart by its name, asked then. Raises what dbt failed with, after the events of the
    models that were built.
    """
    events: list[Any] = []
    own = {key.to_python_identifier() for key in context.selected_asset_keys}
    failure: DagsterDbtCliRuntimeError | None = None
    try:
        events.extend(invocation.stream())
    except DagsterDbtCliRuntimeError as error:
        failure = error
    nodes = [_mart(invocation, event) for event in events]
    rows = _counted(warehouse, [node for node in nodes if node is not None])
    for event, node in zip(events, nodes, strict=True):
        if isinstance(event, dg.Output) and event.output_name not in own:
            continue  # shipped, and built for this clock beside the one that shows it
        if isinstance(event, dg.AssetCheckResult):
            yield from each_partition(context, event)
        elif node is None:
            yield event
        else:
            more = (told or {}).get(node["name"])
            yield event.with_metadata(
                {
                    **event.metadata,
                    "dagster/row_count": rows[node["name"]],
                    "dagster/storage_kind": "duckdb",
                    **_lineage(invocation, node, event),
                    **(more() if more is not None else {}),
                }
            )
    if failure is not None:
        raise failure


def _counted(warehouse: Path, marts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Mart -> its rows, all asked at once: opening the file takes longer than counting."""
    counts = [
        f"select '{node['name']}' as mart, count(*) as row_count from {node['relation_name']}"
        for node in marts
    ]
    found = warehouse_rows(warehouse, " union all ".join(counts)) if counts else []
    return {one["mart"]: one["row_count"] for one in found}


def _lineage(
    invocation: DbtCliInvocation, node: Mapping[str, Any], event: Any
) -> Mapping[str, Any]:
    if any(name.startswith("source.") for name in node["depends_on"]["nodes"]):
        return {}  # what is read from landed files has no columns that lineage is told from
    return column_lineage(invocation, node, event)


def _mart(invocation: DbtCliInvocation, event: Any) -> Mapping[str, Any] | None:
    """The mart that an event tells of, as dbt's manifest has it."""
    named = (getattr(event, "metadata", None) or {}).get("unique_id")
    node: Mapping[str, Any] | None = (
        invocation.manifest["nodes"].get(named.value) if named is not None else None
    )
    is_mart = node is not None and node["resource_type"] == "model" and node["fqn"][1] == "marts"
    return node if is_mart else None
