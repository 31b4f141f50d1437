"""Rates are read exactly, or the row that cannot be is named."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.sources.rates import read_rates

HEAD = "date,from,to,rate,taken_at\n"


def written(folder: Path, text: str) -> Path:
    path = folder / "rates.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_rates_keep_every_digit_and_the_time_they_were_taken(tmp_path: Path) -> None:
    """Harm: a rate through a float, or without its day, converts a bill to nearly the truth."""
    path = written(
        tmp_path,
        HEAD + "2026-01-05,eur,USD,1.0345678901234567,2026-01-05T16:00:00+01:00\n"
        "2026-02-05,EUR,USD,1.1,2026-02-05\n",
    )
    rates = read_rates(path)
    first = rates.rows[0]
    assert (first.source, first.target) == ("EUR", "USD")
    assert first.rate == Decimal("1.0345678901234567")
    assert first.taken_at == datetime(2026, 1, 5, 15, tzinfo=UTC)
    cutoff = datetime(2026, 3, 1, tzinfo=UTC)
    assert rates.of_period(date(2026, 1, 1), 7, cutoff) == (first,)
    assert rates.of_period(date(2026, 1, 1), 7, datetime(2026, 1, 5, tzinfo=UTC)) == ()


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("2026-01-05,EUR,USD,0,2026-01-05", "'0'"),
        ("2026-01-05,EUR,USD,-1,2026-01-05", "'-1'"),
        ("2026-01-05,EUR,USD,NaN,2026-01-05", "'NaN'"),
        ("2026-01-05,EUR,USD,1,1,2026-01-05", "'1'"),
        ("05/01/2026,EUR,USD,1.1,2026-01-05", "'05/01/2026'"),
        ("2026-01-05,Euro,USD,1.1,2026-01-05", "'Euro'"),
        ("2026-01-05,EUR,USD,1.1,", "taken_at ''"),
        ("2026-01-05,EUR,USD", "rate ''"),
    ],
)
def test_what_is_no_rate_is_refused_by_its_row(tmp_path: Path, row: str, told: str) -> None:
    """Harm: one bad row is skipped in silence, and its day is converted by another's rate."""
    good = "2026-01-04,EUR,USD,1.1,2026-01-04\n"
    with pytest.raises(SettingsError) as caught:
        read_rates(written(tmp_path, HEAD + good + row + "\n"))
    (fault,) = caught.value.faults
    assert fault.row == 2
    assert told in fault.expected


def test_one_rate_told_twice_is_one_and_two_values_are_a_fault(tmp_path: Path) -> None:
    """Harm: which of two rates a bill is converted by depends on the order of a file."""
    row = "2026-01-04,EUR,USD,1.1,2026-01-04\n"
    assert len(read_rates(written(tmp_path, HEAD + row + row)).rows) == 1
    with pytest.raises(SettingsError):
        read_rates(written(tmp_path, HEAD + row + row.replace("1.1", "1.2")))


@pytest.mark.parametrize("text", ["", "date,rate\n2026-01-01,1\n", "\xff"])
def test_a_file_without_rates_says_so(tmp_path: Path, text: str) -> None:
    """Harm: the wrong file in the settings means that nothing is converted, without a word."""
    path = tmp_path / "rates.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(SettingsError):
        read_rates(path)
