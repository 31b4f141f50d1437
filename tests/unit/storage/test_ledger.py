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
    assert ledger.verify() == (3, None)


def test_a_changed_entry_is_found(tmp_path: Path) -> None:
    """An auditor could not tell whether a decision was edited afterwards."""
    ledger = Ledger(tmp_path)
    ledger.append("finding", [("a", {"x": 1}), ("b", {"x": 2})], NOW)
    ledger.path.write_text(ledger.path.read_text().replace('"x":1', '"x":7'))
    holds, wrong = ledger.verify()
    assert holds == 0
    assert wrong is not None and "entry 1" in wrong


def test_a_dropped_entry_is_found(tmp_path: Path) -> None:
    """Removing a line would hide a decision."""
    ledger = Ledger(tmp_path)
    ledger.append("finding", [("a", {}), ("b", {}), ("c", {})], NOW)
    lines = ledger.path.read_text().splitlines(keepends=True)
    ledger.path.write_text(lines[0] + lines[2])
    assert ledger.verify()[1] is not None


def test_a_torn_line_is_mended(tmp_path: Path) -> None:
    """A writer killed in the middle of a line must not block the ledger or lose what was there."""
    ledger = Ledger(tmp_path)
    ledger.append("finding", [("a", {"x": 1})], NOW)
    with ledger.path.open("a") as file:
        file.write('{"sequence": 2, "kind": "fin')
    assert [entry.id for entry in ledger.entries()] == ["a"]
    ledger.append("finding", [("b", {"x": 2})], NOW)
    assert [entry.id for entry in ledger.entries()] == ["a", "b"]
    assert ledger.verify() == (2, None)
