"""What is kept: enough to decide each promised day again, and no more."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.periods import known_by
from finops_dagster.storage.files import Layout
from finops_dagster.storage.lake import Lake, in_force
from finops_dagster.storage.publication import PublicationStore, Version
from finops_dagster.storage.retention import Retention
from tests.unit.storage.test_lake import land, landed

NOW = datetime(2026, 4, 1, 6, tzinfo=UTC)
RULES = Retention(all_days=7, daily_days=30, decide_at=time(6))


def delivery(hours_ago: int, partition: date = date(2026, 1, 1)) -> Delivery:
    return Delivery(
        source="aws",
        table="charges",
        delivery_id=f"d{hours_ago}-{partition.month}",
        partition=partition,
        known_at=NOW - timedelta(hours=hours_ago),
        files=(),
    )


def kept(*hours_ago: int) -> set[int]:
    return {int(id_[1:-2]) for id_ in RULES.kept(map(delivery, hours_ago), NOW)}


def test_all_of_a_week_then_each_days_last_then_each_months_last() -> None:
    """Harm: the disk fills, or what finance asks about in a year is gone."""
    week = {1, 2, 3, 7 * 24}
    days = {8 * 24, 10 * 24, 29 * 24}
    assert kept(*week, *days) == week | days
    assert kept(5, 10 * 24 + 1, 10 * 24 + 2, 10 * 24 + 3) == {5, 10 * 24 + 1}
    # the one in force when the promised days begin is needed by the first of them
    assert kept(5, 40 * 24, 41 * 24) == {5, 40 * 24}
    # 31 days before is what 28 February is decided on: of it and of January the last is kept
    assert kept(5, 31 * 24, 33 * 24, 34 * 24, 65 * 24, 66 * 24) == {5, 31 * 24, 65 * 24}


def test_a_day_ends_when_its_decision_is_due() -> None:
    """Harm: the last of a calendar day is kept, and the day was decided on an earlier one."""
    noon = 10 * 24 - 6  # after the decision of the day was due
    assert kept(1, noon, 10 * 24) == {1, noon, 10 * 24}


def test_what_is_in_force_or_not_known_yet_is_kept() -> None:
    """Harm: a bill of last year that nobody restated is thrown away."""
    assert kept(400 * 24) == {400 * 24}
    assert kept(-5, 400 * 24) == {-5, 400 * 24}


@given(st.sets(st.integers(0, 80 * 24), min_size=1, max_size=60))
def test_every_promised_day_is_decided_on_what_it_was(hours_ago: set[int]) -> None:
    """Harm: a day decided again finds another delivery than the one it was decided on."""
    deliveries = [delivery(hours) for hours in hours_ago]
    ids = RULES.kept(deliveries, NOW)
    left = [one for one in deliveries if one.delivery_id in ids]
    for days in range(31):
        due = known_by(RULES.decided_on(NOW) - timedelta(days=days), RULES.decide_at)
        assert in_force(left, due) == in_force(deliveries, due)


def test_pruning_twice_is_pruning_once_and_records_stay(tmp_path: Path) -> None:
    """Harm: nobody can say any more what a bill was once made of."""
    lake = Lake(Layout(tmp_path))
    one = landed("a", 1)
    land(lake, one)
    assert lake.holds(one.delivery)
    assert lake.prune(one.delivery) > 0
    assert lake.prune(one.delivery) == 0
    assert not lake.holds(one.delivery)
    assert lake.record(one.delivery) == one
    assert list((tmp_path / "landing" / "totals").rglob("*.parquet"))


def test_pruning_waits_for_nobody_and_nobody_prunes_in_a_replay(tmp_path: Path) -> None:
    """Harm: rows vanish under a day that is being decided again."""
    lake = Lake(Layout(tmp_path))
    with lake.alone(wait=True) as held, lake.alone() as other:
        assert (held, other) == (True, False)
    with lake.alone() as later:
        assert later


def test_publications_say_what_they_name(tmp_path: Path) -> None:
    """Harm: a published figure loses the rows that prove it."""
    store = PublicationStore(tmp_path)
    for number in (1, 2):
        version = Version(
            mart="m", partition=date(2026, 1, 1), sha256=str(number), rows=1,
            known_at=NOW, inputs=(f"d{number}",),
        )  # fmt: skip
        store.publish([version], NOW)
    assert store.naming({"d1", "d2", "d3"}) == {"d1", "d2"}
