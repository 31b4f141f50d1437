"""Bills that others wrote, as they are."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest


def test_official_sample_lands_whole_and_to_the_last_digit(shared: Path, read_each) -> None:
    """Real data has sins: they are reported, not fatal, and never cost a cent."""
    path = shared / "billing" / "focus_sample_1_0" / "FOCUS-1.0" / "focus_sample.csv"
    read = read_each("focus", path)
    assert all(one.set_codes == [] for one in read)
    assert sum(one.rows.num_rows for one in read) == 1000
    assert sum(one.landed.rows_quarantined for one in read) == 0
    cost: Counter[str] = Counter()
    for one in read:
        for row in one.rows.select(["provider_name", "billed_cost"]).to_pylist():
            cost[row["provider_name"]] += row["billed_cost"]
    assert {name: round(amount, 6) for name, amount in cost.items()} == {
        "AWS": Decimal("18.006639"),
        "Microsoft": Decimal("1.976514"),
        "Oracle": Decimal("0.537074"),
    }
    september = read[0].conformance
    assert {"null_text", "time_without_zone", "enumeration_spelling", "column_unknown"} <= set(
        september
    )
    assert september["column_unknown"] == ["Id"]
    assert "ChargeFrequency" in september["enumeration_spelling"]


def test_tags_and_extra_columns_of_the_official_sample(shared: Path, read_each) -> None:
    """Tags are why anyone can be shown their own cost."""
    path = shared / "billing" / "focus_sample_1_0" / "FOCUS-1.0" / "focus_sample.csv"
    rows = [row for one in read_each("focus", path) for row in one.rows.to_pylist()]
    assert sum(row["tags"] is not None for row in rows) == 1000 - 289
    assert len({dict(row["x_columns"])["Id"] for row in rows}) == 1000


def test_scenarios_of_the_specification_are_refused_with_reasons(shared: Path, read_each) -> None:
    """They lack accounts or have month/day dates: guessing either would be inventing a bill."""
    paths = sorted((shared / "billing" / "focus_spec_1_2").rglob("*.csv"))
    assert paths
    for path in paths:
        for one in read_each("focus", path):
            codes = {fault.code for fault in (*one.landed.set_faults, *one.landed.row_faults)}
            assert codes & {"column_missing", "time_unreadable"}, path.name
            assert one.landed.rows_in == one.quarantine.num_rows > 0


@pytest.mark.slow
def test_other_formats_are_refused_with_the_columns_they_lack(shared: Path, read_each) -> None:
    """A raw provider export under the name focus must say so, not land empty."""
    paths = sorted((shared / "billing" / "provider_exports").rglob("*.csv*"))
    assert paths
    for path in paths:
        for one in read_each("focus", path):
            assert "column_missing" in one.set_codes, path.name
            assert one.landed.rows_in == one.quarantine.num_rows
