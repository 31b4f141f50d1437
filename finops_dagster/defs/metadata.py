"""What the Dagster UI shows of a step: row counts, schemas, tables of reasons, plots, links.

Formatting only; the numbers are made elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dagster as dg
import pandas as pd
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.definitions.data_version import (
    DATA_VERSION_IS_USER_PROVIDED_TAG,
    DATA_VERSION_TAG,
)

from finops_dagster.domain.deliveries import Landed
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.schemas import TableSchema
from finops_dagster.quality import AuditResult, Outcome

if TYPE_CHECKING:
    from finops_dagster.defs.estate import Estate

_SHOWN = 20
_TOLD = 3
"""Faults in a paragraph: a person mends the first and runs again; scripts are given them all."""
_FAULTS = "faults"
"""What is wrong, by file, row and column, as JSON: the command line hands it on."""


def table_schema_metadata(table: TableSchema) -> dict[str, Any]:
    """Columns with types, units and descriptions, and the grain."""
    return {
        "dagster/column_schema": dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name=column.name,
                    type=column.type.value,
                    description=column.description + (f" [{column.unit}]" if column.unit else ""),
                    constraints=dg.TableColumnConstraints(nullable=column.nullable),
                )
                for column in table.columns
            ]
        ),
        "grain": table.grain,
    }


def records_table(rows: Sequence[Mapping[str, Any]]) -> dg.TableMetadataValue | str:
    """A table of the first rows, every value as text; a sentence where there are none."""
    if not rows:
        return "none"
    return dg.MetadataValue.table(
        [
            dg.TableRecord({name: _text(value) for name, value in row.items()})
            for row in rows[:_SHOWN]
        ]
    )


def frame_table(frame: pd.DataFrame) -> dg.TableMetadataValue | str:
    """The first rows of a frame."""
    return records_table(
        [{str(name): value for name, value in row.items()} for row in frame.to_dict("records")]
    )


def frame_schema(
    frame: pd.DataFrame, descriptions: Mapping[str, str] | None = None
) -> dg.TableSchema:
    """Columns of a frame with the types they have in it, and what they mean where it is told."""
    told = descriptions or {}
    return dg.TableSchema(
        columns=[
            dg.TableColumn(str(name), str(kind), description=told.get(str(name)))
            for name, kind in frame.dtypes.items()
        ]
    )


def _text(value: Any) -> str:
    """As a person reads it: numbers to the hundredth, small ones to three digits."""
    if value is None:
        return ""
    if isinstance(value, float | Decimal):
        size = abs(float(value))
        return f"{value:,.2f}" if size >= 1 or size == 0 else f"{value:.3g}"
    return str(value)


def landing_metadata(results: Iterable[Landed]) -> dict[str, Any]:
    """Counts, money in and out, and what was mended, of all deliveries of a run."""
    landed = list(results)
    conformance = [
        {
            "source": one.delivery.source,
            "code": fault.code,
            "column": fault.column,
            "expected": fault.expected,
        }
        for one in landed
        for fault in one.conformance
    ]
    return {
        "dagster/row_count": sum(one.rows_landed for one in landed),
        "rows_in": sum(one.rows_in for one in landed),
        "rows_quarantined": sum(one.rows_quarantined for one in landed),
        "deliveries": len(landed),
        "by_delivery": records_table(
            [
                {
                    "source": one.delivery.source,
                    "partition": one.delivery.partition.isoformat(),
                    "known_at": one.delivery.known_at.isoformat(),
                    "version": ", ".join(one.versions),
                    "rows": one.rows_in,
                    "quarantined": one.rows_quarantined,
                    "billed": ", ".join(
                        f"{amount:f} {currency}" for currency, amount in one.billed_in.items()
                    ),
                    "state": "refused" if one.set_faults else "accepted",
                }
                for one in landed
            ]
        ),
        "conformance": records_table(conformance),
    }


def faults_of(metadata: Mapping[str, dg.MetadataValue]) -> list[Fault]:
    """What `audit_metadata` kept of what is wrong."""
    kept = metadata.get(_FAULTS)
    if not isinstance(kept, dg.JsonMetadataValue) or not isinstance(kept.value, list):
        return []
    return [Fault.model_validate(one) for one in kept.value]


def _fault(outcome: Outcome) -> Fault:
    """A failed expectation as a fault; its examples say which rows, where they can."""
    rows = "; ".join(
        ", ".join(f"{name} {value}" for name, value in example.items() if value)
        for example in outcome.examples[:2]
    )
    return Fault(
        code=outcome.name,
        file=outcome.name.partition(".")[0],
        column=outcome.column or None,
        expected=f"{outcome.name.partition('.')[2]}: {outcome.observed}"
        + (f" ({rows})." if rows else "."),
        hint=outcome.hint,
    )


def day_page(estate: Estate, as_of: date) -> dg.MetadataValue:
    """The day's page for people; it is there once the day is decided."""
    return link(estate.layout.root, estate.report_folder(as_of) / "report.html")


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """A PNG inside Markdown: the UI shows it beside the figures."""
    encoded = base64.b64encode(png).decode("ascii")
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{encoded})")


def each_partition(
    context: dg.AssetExecutionContext, result: dg.AssetCheckResult
) -> Iterator[dg.Output | dg.AssetCheckEvaluation]:
    """The result of a check, told of each partition of the run.

    A run over a range would else tell it of none, and the check of each would look skipped. A
    check without partitions is told once.
    """
    for output, spec in context.assets_def.check_specs_by_output_name.items():
        if (spec.asset_key, spec.name) != (result.asset_key, result.check_name):
            continue
        if spec.key in context.selected_asset_check_keys:
            yield dg.Output(None, output_name=output)
        keys = list(context.partition_keys) if spec.partitions_def else []
        built = _built(context.instance, spec.asset_key, keys)
        for partition in keys or [None]:
            yield dg.AssetCheckEvaluation(
                asset_key=spec.asset_key,
                check_name=spec.name,
                passed=result.passed,
                metadata=result.metadata,
                description=result.description,
                severity=result.severity,
                blocking=spec.blocking,
                partition=partition,
                target_materialization_data=built.get(partition),
            )


def versioned(
    context: dg.AssetExecutionContext,
    result: dg.MaterializeResult,
    contents: Mapping[date, Sequence[str]],
) -> Iterator[dg.MaterializeResult | dg.AssetMaterialization]:
    """The result of a step with the version of its data, told of each partition of the run.

    contents: what each partition is made of; the same contents are the same version, whatever
    range of partitions the run is of. Dagster takes one version of a result for all of them.
    """
    versions = _versions(context, contents)
    whole = content_id("data", versions) if len(versions) > 1 else next(iter(versions.values()))
    yield result._replace(data_version=dg.DataVersion(whole))
    if len(versions) > 1:
        for key, version in versions.items():
            yield dg.AssetMaterialization(
                context.asset_key,
                partition=key,
                metadata={"made_of": len(contents.get(date.fromisoformat(key[:10]), ()))},
                tags={DATA_VERSION_TAG: version, DATA_VERSION_IS_USER_PROVIDED_TAG: "true"},
            )


def told(
    context: dg.AssetExecutionContext, asset: dg.AssetKey, contents: Mapping[date, Sequence[str]]
) -> bool:
    """Whether what `versioned` said last of each partition of the run is said of `contents`."""
    for key, version in _versions(context, contents).items():
        wanted = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=[key])
        newest = context.instance.fetch_materializations(wanted, limit=1).records
        made = newest[0].asset_materialization if newest else None
        if made is None or (made.tags or {}).get(DATA_VERSION_TAG) != version:
            return False
    return True


def _versions(
    context: dg.AssetExecutionContext, contents: Mapping[date, Sequence[str]]
) -> dict[str, str]:
    return {
        key: content_id("data", sorted(contents.get(date.fromisoformat(key[:10]), ())))
        for key in context.partition_keys
    }


def _built(
    instance: dg.DagsterInstance, asset: dg.AssetKey, partitions: list[str]
) -> dict[str | None, AssetCheckEvaluationTargetMaterializationData]:
    """Partition -> what a check of it now is about: without, the UI takes it for outdated."""
    if not partitions:
        return {}
    wanted = dg.AssetRecordsFilter(asset_key=asset, asset_partitions=partitions)
    found = instance.fetch_materializations(wanted, limit=len(partitions)).records
    return {
        one.partition_key: AssetCheckEvaluationTargetMaterializationData(
            run_id=one.run_id, storage_id=one.storage_id, timestamp=one.timestamp
        )
        for one in reversed(found)
    }


PAGES = "/pages/"
"""Where the UI serves the pages of reports: a browser opens no file:// link from a web page."""


def link(state: Path, page: Path) -> dg.MetadataValue:
    """A page under the state folder, as the UI of this estate serves it."""
    return dg.MetadataValue.url(PAGES + quote(page.relative_to(state).as_posix()))


def audit_metadata(
    audits: Sequence[AuditResult],
    pages: Mapping[str, dg.MetadataValue],
    refused: Sequence[Fault] = (),
) -> dict[str, Any]:
    """What failed and what could not be judged, with links to the audit's pages by name.

    `summary` is one paragraph: what is wrong, where, and what to do; `faults` the same for
    scripts. `refused`: why whole deliveries were.
    """
    outcomes = [outcome for audit in audits for outcome in audit.outcomes]
    failed = [outcome for audit in audits for outcome in audit.failures]
    faults = list(refused) or [_fault(outcome) for outcome in failed]
    told = [str(fault) for fault in faults]
    more = f" And {len(told) - _TOLD} more." if len(told) > _TOLD else ""
    return {
        "summary": " ".join(told[:_TOLD]) + more if told else "nothing is wrong",
        _FAULTS: dg.MetadataValue.json([fault.model_dump() for fault in faults]),
        "expectations": len(outcomes),
        "failed": records_table(
            [
                {
                    "expectation": outcome.name,
                    "column": outcome.column,
                    "severity": outcome.severity,
                    "observed": outcome.observed,
                    "hint": outcome.hint,
                }
                for outcome in outcomes
                if not outcome.success
            ]
        ),
        "not_judged": records_table(
            [
                {"subject": one.subject, "reason": one.reason}
                for audit in audits
                for one in audit.abstained
            ]
        ),
        **pages,
    }
