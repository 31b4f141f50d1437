"""The ledger: idempotent, chained, and whole again after a killed writer."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from finops_dagster.storage.ledger import Ledger

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)


def test_an_id_is_written_once(tmp_path: Path) -> None:
    """A re-run must not make a second decision out of the first."""
    ledger = Ledger(tmp_path)
    assert ledger.append("finding", [("a", {"x": 1}), ("b", {"x": 2})], NOW) == 2
    assert ledger.append("finding", [("a", {"x": 1}), ("c", {"x": 3})], NOW) == 1
    assert [entry.id for entry in ledger.entries("finding")] == ["a", "b", "c"]


def test_a_torn_line_is_mended(tmp_path: Path) -> None:
    """A writer killed in the middle of a line must not block the ledger or lose what was there."""
    ledger = Ledger(tmp_path)
    ledger.append("finding", [("a", {"x": 1})], NOW)
    with ledger.path.open("a") as file:
        file.write('{"sequence": 2, "kind": "fin')
    assert [entry.id for entry in ledger.entries()] == ["a"]
    ledger.append("finding", [("b", {"x": 2})], NOW)
    assert [entry.id for entry in ledger.entries()] == ["a", "b"]


def test_an_id_with_odd_characters_is_written_once(tmp_path: Path) -> None:
    """Harm: an id that JSON escapes is taken for another, and its decision doubled."""
    ledger = Ledger(tmp_path)
    odd = 'a","kind":"b\\\n\u00e9'
    assert ledger.append("finding", [(odd, {})], NOW) == 1
    assert ledger.append("finding", [(odd, {}), ("a", {})], NOW) == 1
    assert [entry.id for entry in ledger.entries()] == [odd, "a"]
