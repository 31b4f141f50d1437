"""The ledger as Parquet for the warehouse, one day behind what is decided.

What the columns become is dbt's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.domain.decisions import Proposal, Verdict
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.storage.files import atomically
from finops_dagster.storage.ledger import Ledger

_MONEY = pa.decimal128(38, 20)
PROPOSALS = pa.schema(
    [
        ("id", pa.string()),
        ("as_of", pa.date32()),
        ("kind", pa.string()),
        ("resource", pa.string()),
        ("owner", pa.string()),
        ("environment", pa.string()),
        ("saving_per_month_low", _MONEY),
        ("saving_per_month_mid", _MONEY),
        ("saving_per_month_high", _MONEY),
        ("currency", pa.string()),
        ("carbon_kg_per_month_mid", pa.float64()),
        ("decision", pa.string()),
        ("risk", pa.float64()),
        ("confidence", pa.float64()),
    ]
)
PULL_REQUESTS = pa.schema(
    [
        ("number", pa.int64()),
        ("key", pa.string()),
        ("kind", pa.string()),
        ("resource", pa.string()),
        ("state", pa.string()),
        ("saving_per_month_mid", _MONEY),
        ("currency", pa.string()),
        ("verdict", pa.string()),
        ("fingerprint", pa.string()),
        ("opened", pa.date32()),
    ]
)


def write_exports(ledger: Ledger, folder: Path, as_of: date) -> None:
    """Write proposals.parquet and pull_requests.parquet of the days before `as_of`."""
    verdicts = {
        verdict.subject: verdict.decision.value for verdict in _typed(ledger, "verdict", Verdict)
    }
    proposals = [p for p in _typed(ledger, "proposal", Proposal) if p.as_of < as_of]
    decided = {proposal.id: proposal.as_of for proposal in proposals}
    _write(
        folder / "proposals.parquet",
        PROPOSALS,
        [
            {
                "id": one.id,
                "as_of": one.as_of,
                "kind": one.kind.value,
                "resource": one.resource,
                "owner": one.owner,
                "environment": one.environment,
                "saving_per_month_low": _exact(one.saving_per_month.low),
                "saving_per_month_mid": _exact(one.saving_per_month.mid),
                "saving_per_month_high": _exact(one.saving_per_month.high),
                "currency": one.saving_per_month.currency,
                "carbon_kg_per_month_mid": one.carbon_kg_per_month.mid,
                "decision": verdicts.get(one.id),
                "risk": one.risk,
                "confidence": one.confidence,
            }
            for one in proposals
        ],
    )
    # The last entry of a number is the state it is in.
    newest = {one.number: one for one in _typed(ledger, "pull_request", PullRequest)}
    _write(
        folder / "pull_requests.parquet",
        PULL_REQUESTS,
        [
            {
                "number": one.number,
                "key": one.key,
                "kind": one.kind,
                "resource": one.resource,
                "state": one.state.value,
                "saving_per_month_mid": _exact(one.saving_per_month.mid),
                "currency": one.saving_per_month.currency,
                "verdict": one.verdict.value,
                "fingerprint": one.fingerprint,
                "opened": decided[one.proposal_id],
            }
            for number, one in sorted(newest.items())
            if one.proposal_id in decided
        ],
    )


def _typed(ledger: Ledger, kind: str, type_: Any) -> Iterable[Any]:
    return [type_.model_validate(entry.payload) for entry in ledger.entries(kind)]


def _exact(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-10))


def _write(path: Path, schema: pa.Schema, rows: Sequence[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(list(rows), schema=schema)
    atomically(path, lambda aside: pq.write_table(table, aside))
