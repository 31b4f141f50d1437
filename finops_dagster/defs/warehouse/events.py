"""What dbt's events show beside dbt's own words: rows of each mart, where its columns come from.

How a model is named in Dagster lives in translator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DbtCliInvocation
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator
from dagster_dbt.errors import DagsterDbtCliRuntimeError

from finops_dagster.defs.metadata import each_partition
from finops_dagster.defs.warehouse.lineage import column_lineage


def described(
    context: dg.AssetExecutionContext,
    invocation: DbtCliInvocation,
    told: Mapping[str, Callable[[], Mapping[str, Any]]] | None = None,
) -> Iterator[Any]:
    """Every event of a dbt build in its order; those of marts with row counts and column lineage.

    They come when dbt has ended and so given the file back. `told`: what else is to be shown of a
    mart by its name, asked then. Raises what dbt failed with, after the events of the models that
    were built.
    """
    events: list[Any] = []
    own = {key.to_python_identifier() for key in context.selected_asset_keys}
    failure: DagsterDbtCliRuntimeError | None = None
    try:
        events.extend(invocation.stream())
    except DagsterDbtCliRuntimeError as error:
        failure = error
    for event in events:
        if isinstance(event, dg.Output) and event.output_name not in own:
            continue  # shipped, and built for this clock beside the one that shows it
        node = _mart(invocation, event)
        if isinstance(event, dg.AssetCheckResult):
            yield from each_partition(context, event)
        else:
            shown = event if node is None else _with_figures(invocation, node, event)
            more = (told or {}).get(node["name"]) if node is not None else None
            yield shown if more is None else shown.with_metadata({**shown.metadata, **more()})
    if failure is not None:
        raise failure


def _with_figures(invocation: DbtCliInvocation, node: Mapping[str, Any], event: Any) -> Any:
    counted = next(DbtEventIterator(iter([event]), invocation).fetch_row_counts())
    if any(name.startswith("source.") for name in node["depends_on"]["nodes"]):
        return counted  # what is read from landed files has no columns that lineage is told from
    lineage = column_lineage(invocation, node, event)
    return counted.with_metadata({**counted.metadata, **lineage})


def _mart(invocation: DbtCliInvocation, event: Any) -> Mapping[str, Any] | None:
    """The mart that an event tells of, as dbt's manifest has it."""
    named = (getattr(event, "metadata", None) or {}).get("unique_id")
    node: Mapping[str, Any] | None = (
        invocation.manifest["nodes"].get(named.value) if named is not None else None
    )
    is_mart = node is not None and node["resource_type"] == "model" and node["fqn"][1] == "marts"
    return node if is_mart else None
