"""The register as JSON and as CSV, for those who keep theirs elsewhere.

What is in it is decided in `register`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

from finops_dagster.responsible_ai.governance.evidence import OF_CHECK, OF_RULE
from finops_dagster.responsible_ai.governance.obligations import NOT_ADVICE, SOURCES
from finops_dagster.responsible_ai.governance.register import Register, System

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A cell that begins so may be run as a formula by a spreadsheet; OWASP, CSV Injection. The last
four are the full-width forms."""

COLUMNS = (
    "name", "kind", "owner", "purpose", "risk_class", "data", "versions", "card", "place", "gate",
    "open_breaches", "oldest_breach_days", "energy_kwh_month", "last_change", "missing",
)  # fmt: skip


def rows(register: Register) -> list[dict[str, Any]]:
    """One plain row a system, with its breaches, obligations, history and ledger entries."""
    return [_row(one) for one in register.systems]


def document(register: Register) -> dict[str, Any]:
    """Everything, with the mapping it rests on and its sources."""
    return {
        "estate": register.estate,
        "as_of": register.as_of.isoformat(),
        "note": NOT_ADVICE,
        "sources": SOURCES,
        "systems": rows(register),
        "evidence": [
            {
                "check": name,
                "eu_ai_act": list(one.references),
                "nist_ai_rmf": list(one.categories),
                "about": one.why,
            }
            for name, one in (
                *((check.value, one) for check, one in OF_CHECK.items()),
                *((f"policy {rule}", one) for rule, one in OF_RULE.items()),
            )
        ],
    }


def table(register: Register) -> str:
    """CSV (RFC 4180) with a header; no cell can be run as a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for one in register.systems:
        writer.writerow([cell(value) for value in _cells(one)])
    return text.getvalue()


def cell(value: object) -> str:
    """A value as text that no spreadsheet runs: what would begin a formula is quoted."""
    written = "" if value is None else str(value)
    if isinstance(value, int | float):
        return written
    return f"'{written}" if written.lstrip(" ").startswith(_FORMULA) else written


def _cells(one: System) -> Iterator[object]:
    yield one.name
    yield one.kind.value
    yield one.owner
    yield one.purpose
    yield one.risk_class.value
    yield one.data
    yield "; ".join(one.versions)
    yield one.card
    yield one.place
    yield one.result
    yield len(one.breaches)
    yield max((each.days for each in one.breaches), default=None)
    yield one.energy_kwh_month
    yield one.changed
    yield "; ".join(one.missing)


def _row(one: System) -> dict[str, Any]:
    return {
        "name": one.name,
        "kind": one.kind.value,
        "owner": one.owner,
        "purpose": one.purpose,
        "risk_class": one.risk_class.value,
        "data": one.data,
        "versions": list(one.versions),
        "card": one.card,
        "place": one.place,
        "protected": list(one.protected),
        "gate": one.gate.result if one.gate else None,
        "reasons": list(one.gate.reasons) if one.gate else [],
        "breaches": [
            each.breach.model_dump(mode="json")
            | {"stands_since": each.since.isoformat(), "days": each.days}
            for each in one.breaches
        ],
        "energy_kwh_month": one.energy_kwh_month,
        "last_change": one.changed,
        "missing": list(one.missing),
        "found": list(one.found),
        "obligations": [
            {
                "article": each.article,
                "title": each.title,
                "who": each.who,
                "evidence": list(each.evidence),
            }
            for each in one.obligations
        ],
        "history": [
            {
                "day": each.day.isoformat(),
                "result": each.result,
                "checks": [check.value for check in each.checks],
                "reasons": list(each.reasons),
            }
            for each in one.history
        ],
        "ledger": [
            {
                "id": each.id,
                "kind": each.kind,
                "at": each.at.isoformat(),
                "what": each.what,
                "who": each.who,
            }
            for each in one.recorded
        ],
    }
