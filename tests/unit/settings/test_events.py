"""Known events in finops.yaml: one change each, of what costs can be told by."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import Settings, load


def settings(tmp_path: Path, events: str) -> Settings:
    (tmp_path / "bill").mkdir(exist_ok=True)
    path = tmp_path / "finops.yaml"
    path.write_text(f"estate: a\nbilling:\n  - {{name: b, path: bill}}\nknown_events:\n{events}")
    return load(path)


def test_an_event_is_read_as_it_is_written(tmp_path: Path) -> None:
    read = settings(
        tmp_path,
        "  - {name: end, from: 2026-12-01, of: {service: 'Amazon*'}, change: -0.3}\n"
        "  - {name: move, from: 2026-11-03, until: 2026-11-30, of: {team: [a, b]},\n"
        "     amount: 12.5, currency: EUR, known_from: 2026-10-01}\n"
        "  - {name: load test, from: 2026-12-24}\n",
    )
    end, move, test = read.known_events
    assert (end.from_, end.of, end.change) == (date(2026, 12, 1), {"service": ("Amazon*",)}, -0.3)
    assert (move.amount, move.currency) == (Decimal("12.5"), "EUR")
    assert (move.until, move.known_from) == (date(2026, 11, 30), date(2026, 10, 1))
    assert (test.change, test.amount, test.until) == (None, None, None)
    assert end.is_known(date(2020, 1, 1))
    assert not move.is_known(date(2026, 9, 30))
    assert Settings(estate="a", billing=[{"name": "b", "path": "c"}]).known_events == ()


@pytest.mark.parametrize(
    ("event", "says"),
    [
        ("{name: a, from: 2026-12-01, change: 0.1, amount: 3, currency: EUR}", "either change"),
        ("{name: a, from: 2026-12-01, amount: 3}", "amount with its currency"),
        ("{name: a, from: 2026-12-01, change: -1.5}", "greater than or equal to -1"),
        ("{name: a, from: 2026-12-01, until: 2026-11-01, change: 1}", "until on or after from"),
        ("{name: a, from: 2026-12-01, change: 1, of: {region: x}}", "team, service, account"),
        ("{name: a, change: 0.1}", "from"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, event: str, says: str) -> None:
    """A change that is read as another one is believed until the bill comes."""
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, f"  - {event}\n")
    (fault,) = caught.value.faults
    assert says in fault.expected
    assert fault.row == 5


def test_two_events_of_one_name_are_refused(tmp_path: Path) -> None:
    """An explanation that names one of two is none."""
    event = "  - {name: a, from: 2026-12-01, change: 1}\n"
    with pytest.raises(SettingsError) as caught:
        settings(tmp_path, event * 2)
    assert "names of events must differ: a" in caught.value.faults[0].expected
