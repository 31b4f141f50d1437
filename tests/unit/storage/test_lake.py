"""The lake keeps, of one place and instant, what is there now."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

from finops_dagster.domain.deliveries import Delivery, Landed
from finops_dagster.domain.schemas import LANDING_TABLES
from finops_dagster.storage.files import Layout, arrow_schema
from finops_dagster.storage.lake import Lake


def landed(id_: str, hour: int) -> Landed:
    delivery = Delivery(
        source="aws",
        table="charges",
        delivery_id=id_,
        partition=date(2025, 1, 1),
        known_at=datetime(2025, 2, 1, hour, tzinfo=UTC),
        files=(),
    )
    return Landed(
        delivery=delivery,
        rows_in=0,
        rows_landed=0,
        rows_quarantined=0,
        billed_in={},
        billed_landed={},
        billed_quarantined={},
        quarantined_cost_unknown=0,
        set_faults=(),
        row_faults=(),
        conformance=(),
    )


def land(lake: Lake, one: Landed) -> None:
    """Write a delivery without rows, and its record."""
    nothing = arrow_schema(LANDING_TABLES[one.delivery.table]).empty_table()
    lake.write(one.delivery, nothing.to_reader(), nothing.to_reader())
    lake.seal(one)


def test_a_file_mended_in_place_replaces_what_was_read_of_it(tmp_path: Path) -> None:
    """Harm: a corrected file and its faulty state tie, and the greater hash decides the bill."""
    lake = Lake(Layout(tmp_path))
    for one in (landed("z", 1), landed("a", 1)):
        land(lake, one)
    assert [one.delivery.delivery_id for one in lake.records("charges")] == ["a"]
    assert len(list((tmp_path / "landing" / "deliveries").rglob("*.parquet"))) == 1


def test_an_earlier_delivery_stays_beside_a_later_one(tmp_path: Path) -> None:
    """Harm: a past day cannot be decided again, for what was known then is gone."""
    lake = Lake(Layout(tmp_path))
    for one in (landed("z", 1), landed("a", 2)):
        land(lake, one)
    assert [one.delivery.delivery_id for one in lake.records("charges")] == ["a", "z"]
