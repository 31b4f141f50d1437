"""What dbt's events show beside dbt's own words: rows of each mart, where its columns come from.

How a model is named in Dagster lives in translator.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dagster_dbt import DbtCliInvocation
from dagster_dbt.core.dbt_event_iterator import DbtEventIterator
from dagster_dbt.errors import DagsterDbtCliRuntimeError

_SCHEMA = "dagster/column_schema"


def described(invocation: DbtCliInvocation) -> Iterator[Any]:
    """Every event of a dbt build in its order; those of marts with row counts and column lineage.

    They come when dbt has ended and so given the file back. Raises what dbt failed with, after
    the events of the models that were built.
    """
    events: list[Any] = []
    failure: DagsterDbtCliRuntimeError | None = None
    try:
        events.extend(invocation.stream())
    except DagsterDbtCliRuntimeError as error:
        failure = error
    for event in events:
        yield _with_figures(invocation, event) if _is_mart(invocation, event) else event
    if failure is not None:
        raise failure


def _with_figures(invocation: DbtCliInvocation, event: Any) -> Any:
    one = DbtEventIterator(iter([event]), invocation).fetch_row_counts().fetch_column_metadata()
    told = next(one)
    # The schema that the model declares has descriptions; the one of the file has none.
    kept = {name: value for name, value in told.metadata.items() if name != _SCHEMA}
    return told.with_metadata(kept)


def _is_mart(invocation: DbtCliInvocation, event: Any) -> bool:
    named = (getattr(event, "metadata", None) or {}).get("unique_id")
    node = invocation.manifest["nodes"].get(named.value) if named is not None else None
    return node is not None and node["fqn"][1] == "marts" and node["resource_type"] == "model"
