"""The ledger as Parquet for the warehouse, one day behind what is decided.

What the columns become is dbt's business.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.domain.decisions import Proposal, Verdict
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.money import Money
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.domain.violations import Turned, ViolationTurn
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
POLICY_VIOLATIONS = pa.schema(
    [
        ("id", pa.string()),
        ("day", pa.date32()),
        ("resource", pa.string()),
        ("seen", pa.string()),
        ("owner", pa.string()),
        ("environment", pa.string()),
        ("rule_id", pa.string()),
        ("title", pa.string()),
        ("decision", pa.string()),
        ("actual", pa.string()),
        ("limit", pa.string()),
        ("fix", pa.string()),
        ("file", pa.string()),
        ("currency", pa.string()),
        ("cost_per_month", _MONEY),
        ("first_day", pa.date32()),
        ("changed_day", pa.date32()),
        ("ended_day", pa.date32()),
    ]
)


def write_exports(
    ledger: Ledger, folder: Path, as_of: date, costs: Mapping[str, Sequence[Money]]
) -> None:
    """Write proposals.parquet and pull_requests.parquet of the days before `as_of`, and
    policy_violations.parquet of the days up to it: nothing that decides reads those.

    `costs`: resource -> what it costs a month, by currency.
    """
    _write(
        folder / "policy_violations.parquet",
        POLICY_VIOLATIONS,
        [row for turns in _spells(ledger, as_of) for row in _violation_rows(turns, as_of, costs)],
    )
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


def _spells(ledger: Ledger, as_of: date) -> list[list[ViolationTurn]]:
    """Entries of each violation from its first day to its end, or to where it stands."""
    spells: dict[tuple[str, str, date], list[ViolationTurn]] = {}
    for turn in _typed(ledger, "policy_violation", ViolationTurn):
        if turn.day <= as_of:
            spells.setdefault((*turn.violation.key, turn.first_day), []).append(turn)
    return [spells[key] for key in sorted(spells)]


def _violation_rows(
    turns: Sequence[ViolationTurn], as_of: date, costs: Mapping[str, Sequence[Money]]
) -> list[dict[str, Any]]:
    """One row for each currency that its resource is billed in, and one where it is in none."""
    last = turns[-1]
    told, ended = last.violation, last.turned is Turned.ENDED
    money = () if ended else costs.get(told.resource, ())
    row = {
        **told.model_dump(mode="json"),
        "id": content_id("violation", [*told.key, last.first_day]),
        "day": as_of,
        "first_day": last.first_day,
        "changed_day": max(turn.day for turn in turns if turn.turned is not Turned.ENDED),
        "ended_day": last.day if ended else None,
    }
    priced = [{"currency": one.currency, "cost_per_month": _exact(one.amount)} for one in money]
    return [row | one for one in priced or [{"currency": None, "cost_per_month": None}]]


def _typed(ledger: Ledger, kind: str, type_: Any) -> Iterable[Any]:
    return [type_.model_validate(entry.payload) for entry in ledger.entries(kind)]


def _exact(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal(1).scaleb(-10))


def _write(path: Path, schema: pa.Schema, rows: Sequence[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(list(rows), schema=schema)
    atomically(path, lambda aside: pq.write_table(table, aside))
