"""What the Dagster UI shows of a step: row counts, schemas, tables of reasons, plots, links.

Formatting only; the numbers are made elsewhere.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import dagster as dg
import pandas as pd

from finops_dagster.domain.deliveries import Landed
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.schemas import TableSchema
from finops_dagster.quality import AuditResult

_SHOWN = 20


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


def _text(value: Any) -> str:
    return "" if value is None else str(value)


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


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """A PNG inside Markdown: the UI shows it beside the figures."""
    encoded = base64.b64encode(png).decode("ascii")
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{encoded})")


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

    `summary` is one paragraph: what is wrong, where, and what to do. `refused`: why whole
    deliveries were.
    """
    outcomes = [outcome for audit in audits for outcome in audit.outcomes]
    failed = [outcome for audit in audits for outcome in audit.failures]
    told = [str(fault) for fault in refused] or [
        f"{outcome.name}: {outcome.observed}. {outcome.hint}" for outcome in failed
    ]
    return {
        "summary": " ".join(told[:5]) + (f" And {len(told) - 5} more." if len(told) > 5 else "")
        if told
        else "nothing is wrong",
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
