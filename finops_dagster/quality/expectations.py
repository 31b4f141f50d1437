"""The one place that speaks to Great Expectations: a frame and checks in, its results out.

Which frames are judged, and what outcomes are made of the results, is in `audit`.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import pandas as pd

from finops_dagster.quality.checks import Check

if TYPE_CHECKING:
    from great_expectations.core.batch_definition import BatchDefinition

EXAMPLES = 5
"""Unexpected rows shown at most."""


def validate(
    name: str, batch: BatchDefinition[Any], frame: pd.DataFrame, checks: Sequence[Check]
) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """Hold `frame` against `checks` as one suite: the suite's result as JSON, and each check's."""
    import great_expectations as gx
    from great_expectations.expectations.registry import get_expectation_impl

    suite = gx.ExpectationSuite(name=name)
    for check in checks:
        arguments: dict[str, Any] = {**check.kwargs, "meta": {"name": check.name}}
        if check.column is not None:
            arguments["column"] = check.column
        arguments["severity"] = "critical" if check.severity == "error" else "warning"
        suite.add_expectation(get_expectation_impl(check.expectation)(**arguments))
    validated = batch.get_batch({"dataframe": frame}).validate(
        suite,
        result_format={"result_format": "SUMMARY", "partial_unexpected_count": EXAMPLES},
    )
    plain: dict[str, Any] = validated.to_json_dict()  # type: ignore[no-untyped-call]
    by_name = {result["expectation_config"]["meta"]["name"]: result for result in plain["results"]}
    return plain, [by_name[check.name] for check in checks]


def raised(result: Mapping[str, Any]) -> str:
    """Why a check could not be judged; empty where it could."""
    info = result.get("exception_info") or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if isinstance(entry, Mapping) and entry.get("raised_exception"):
            return f"could not be judged: {entry.get('exception_message')}"
    return ""


def observed(detail: Mapping[str, Any]) -> str:
    """What was seen, in a few words."""
    if "observed_value" in detail:
        value = detail["observed_value"]
        if isinstance(value, list):
            return f"{len(value)} values"
        return str(value)
    count, unexpected = detail.get("element_count"), detail.get("unexpected_count")
    return f"{unexpected} of {count} unexpected"


def batch_definition() -> BatchDefinition[Any]:
    """A whole-frame batch in an ephemeral context: no files, no progress bars, quiet."""
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    logging.getLogger("great_expectations").setLevel(logging.ERROR)
    context = gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
            progress_bars=ProgressBarsConfig(globally=False),
        ),
    )
    source = context.data_sources.add_pandas("audit")
    return source.add_dataframe_asset("frame").add_batch_definition_whole_dataframe("whole")
