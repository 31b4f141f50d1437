"""Hours of grid intensity through the warehouse: gaps, zones, kinds, and the yearly table.

Formulas are held by dbt's own unit tests; here is what only whole builds can show.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.dbt.landing import Estate, at, measurement

CPU = "container_cpu_usage_seconds_total"
MONDAY, TUESDAY = "2026-01-05", "2026-01-06"
SIGNALS = ("--select", "tag:signals", "--exclude-resource-type", "unit_test")
CLUSTERS = {"prod": "eu-west-1", "other": "europe-west3", "bare": "ca-central-1"}
WINDOW = {"first_day": MONDAY, "last_day": TUESDAY, "clusters": CLUSTERS}

Hours = Mapping[int, float | None]


def value(day: str, hour: int, gco2e: float | None, **columns: Any) -> dict[str, Any]:
    """One hour of location-based intensity of eu-west-1."""
    row = {
        "time": at(f"{day}T{hour:02d}:00"),
        "region": None if "zone" in columns else "eu-west-1",
        "accounting": "location",
        "gco2e_per_kwh": gco2e,
    }
    return row | columns


def delivered(root: Path, monday: Hours, tuesday: Hours) -> Estate:
    """A core in use on both days in three clusters, and these hours of intensity."""
    estate = Estate(root)
    for day, hours in ((MONDAY, monday), (TUESDAY, tuesday)):
        estate.deliver(
            "measurements",
            day,
            f"m-{day}",
            f"{day}T23:30",
            [
                measurement(f"{day}T{hour:02d}:00", CPU, 1.0, cluster=cluster,
                            interval_seconds=3600)
                for hour in range(24)
                for cluster in CLUSTERS
            ],
        )  # fmt: skip
        estate.deliver(
            "intensities",
            day,
            f"i-{day}",
            f"{day}T23:30",
            [value(day, hour, gco2e) for hour, gco2e in hours.items()],
        )
    return estate


def without(*missing: int) -> dict[int, float | None]:
    """100 + 10 x hour for every hour but these."""
    return {hour: 100.0 + 10 * hour for hour in range(24) if hour not in missing}


def of_day(estate: Estate, day: str, region: str = "eu-west-1") -> dict[int, tuple[Any, ...]]:
    """Hour -> value, basis, reason, by location."""
    rows = estate.query(
        "select extract('hour' from hour), gco2e_per_kwh, basis, reason"
        " from fct_grid_intensity_hourly where kind = 'average' and accounting = 'location'"
        f" and day = date '{day}' and region = '{region}' order by hour"
    )
    assert [row[0] for row in rows] == list(range(24))
    return {hour: tuple(rest) for hour, *rest in rows}


def day_of(estate: Estate, day: str, cluster: str = "prod") -> tuple[Any, ...]:
    """The emissions of the one workload of a cluster on a day."""
    (row,) = estate.query(
        "select location_gco2e, location_coverage, location_basis, location_reason"
        f" from fct_workload_carbon_daily where day = date '{day}' and cluster = '{cluster}'"
    )
    return row


@pytest.fixture(scope="module")
def gaps(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    """Monday: gaps of 2 and 3 hours, and one of 1 at its end. Tuesday: one of 4."""
    estate = delivered(
        tmp_path_factory.mktemp("gaps"), without(3, 4, 10, 11, 12, 23), without(0, 7, 8, 9, 10)
    )
    result = estate.dbt("build", *SIGNALS, **WINDOW)
    assert result.exit_code == 0, result.output
    return estate


def test_gaps_up_to_the_limit_are_between_their_neighbours(gaps: Estate) -> None:
    """An hour that was lost on the way should not cost a day of figures."""
    hours = of_day(gaps, MONDAY)
    assert hours[2] == (120.0, "measured", None)
    for hour in (3, 4, 10, 11, 12):
        assert hours[hour] == (pytest.approx(100.0 + 10 * hour), "interpolated", None)
    emissions, coverage, basis, reason = day_of(gaps, MONDAY)
    assert (coverage, basis, reason) == (1.0, "interpolated", None)
    # one core at full load: hours 0 to 22 on the line, 23 as 22
    total = sum(100.0 + 10 * hour for hour in range(23)) + 320.0
    assert emissions == pytest.approx(3.5 / 1000 * 1.15 * total)


def test_a_gap_beyond_the_limit_shows(gaps: Estate) -> None:
    """A guess over half a morning would pass for a measurement; nothing would pass for zero."""
    hours = of_day(gaps, TUESDAY)
    for hour in (7, 8, 9, 10):
        amount, basis, reason = hours[hour]
        assert (amount, basis) == (None, None)
        assert reason == "4 hours together without a value; at most 3 are filled (grid.gap_hours)"
    emissions, coverage, basis, reason = day_of(gaps, TUESDAY)
    assert (emissions, basis) == (None, None)
    assert coverage == pytest.approx(20 / 24)
    assert reason.startswith("4 hours together")


def test_no_gap_is_filled_from_another_day(gaps: Estate) -> None:
    """Monday's last hour must not know Tuesday, which was not there when Monday was decided."""
    assert of_day(gaps, MONDAY)[23] == (320.0, "interpolated", None)
    assert of_day(gaps, TUESDAY)[0] == (110.0, "interpolated", None)
    # built alone, and with the day before it, a day is the same
    before = of_day(gaps, TUESDAY)
    alone = {**WINDOW, "first_day": TUESDAY}
    result = gaps.dbt("build", *SIGNALS, **alone)
    assert result.exit_code == 0, result.output
    assert of_day(gaps, TUESDAY) == before


def test_a_region_without_deliveries_says_so(gaps: Estate) -> None:
    """A cluster in a region that nobody measures must not look clean, nor borrow a neighbour's."""
    for amount, basis, reason in of_day(gaps, MONDAY, "europe-west3").values():
        assert (amount, basis, reason) == (None, None, "nothing was delivered for this region")
    assert day_of(gaps, MONDAY, "other") == (
        None, 0.0, None, "nothing was delivered for this region",
    )  # fmt: skip


def test_missing_market_data_is_no_copy_of_the_grid(gaps: Estate) -> None:
    """Contracts that were not delivered must not be taken for the grid's mix, nor for clean."""
    assert gaps.query(
        "select distinct market_gco2e, market_coverage, market_reason"
        " from fct_workload_carbon_daily where cluster = 'prod'"
    ) == [(None, 0.0, "nothing was delivered for this region")]


def test_limits_and_the_yearly_table_are_what_settings_say(gaps: Estate) -> None:
    """The yearly mean stands in for lost hours only where someone asked for it, and is told."""
    wanted = {**WINDOW, "grid_gap_hours": 0, "grid_yearly": True}
    result = gaps.dbt("build", *SIGNALS, **wanted)
    assert result.exit_code == 0, result.output
    hours = of_day(gaps, MONDAY)
    assert hours[2] == (120.0, "measured", None)
    # Ireland, 2023
    assert {hours[hour] for hour in (3, 4, 23)} == {(284.0, "yearly", None)}
    assert of_day(gaps, MONDAY, "europe-west3")[0] == (371.0, "yearly", None)
    assert day_of(gaps, MONDAY)[1:3] == (1.0, "yearly")
    # a country whose provinces differ has no yearly value: that is told, too
    assert of_day(gaps, MONDAY, "ca-central-1")[0] == (
        None,
        None,
        "nothing was delivered for this region; the yearly table has no value for it",
    )
    assert gaps.query(
        "select distinct basis from fct_grid_intensity_hourly where accounting = 'market'"
    ) == [(None,)]


def test_answers_by_zone_count_by_kind_and_factors(tmp_path: Path) -> None:
    """Marginal, direct and lifecycle values are three quantities; one zone feeds many regions."""
    estate = delivered(tmp_path, {}, {})
    rows = [
        value(MONDAY, hour, amount, zone=zone, **said)
        for hour in range(24)
        for zone, amount, said in (
            ("DE", 400.0, {"factors": "lifecycle", "basis": "estimated"}),
            ("DE", 300.0, {"factors": "direct", "basis": "measured"}),
            ("DE", 800.0, {"kind": "marginal", "factors": "lifecycle"}),
            ("IE", 350.0, {"factors": "direct"}),
            ("XX-NEW", 10.0, {"factors": "lifecycle"}),
        )
    ]
    estate.deliver("intensities", MONDAY, "zones", f"{TUESDAY}T01:00", rows)
    result = estate.dbt("build", *SIGNALS, **WINDOW, grid_zones={"ca-central-1": "XX-NEW"})
    assert result.exit_code == 0, result.output
    assert of_day(estate, MONDAY, "europe-west3")[0] == (400.0, "estimated", None)
    assert of_day(estate, MONDAY, "eu-central-1")[0] == (400.0, "estimated", None)
    assert of_day(estate, MONDAY, "ca-central-1")[0] == (10.0, "measured", None)
    assert of_day(estate, MONDAY, "eu-west-1")[0] == (
        None,
        None,
        "only values by other emission factors were delivered; grid.factors is lifecycle",
    )
    assert estate.query(
        "select distinct region, gco2e_per_kwh from fct_grid_intensity_hourly"
        " where kind = 'marginal' and region = 'europe-west3'"
    ) == [("europe-west3", 800.0)]
    ((low, mid, high),) = estate.query(
        "select distinct low_gco2e_per_kwh, gco2e_per_kwh, high_gco2e_per_kwh"
        " from fct_grid_intensity_hourly where region = 'europe-west3' and kind = 'average'"
        " and accounting = 'location' and basis is not null"
    )
    # estimates are as uncertain as the seed says: 30 %
    assert (low, mid, high) == pytest.approx((280.0, 400.0, 520.0))


def test_what_landed_before_these_columns_still_builds(tmp_path: Path) -> None:
    """A lake of the last release has no zones, kinds or factors: its rows are averages."""
    import pyarrow.parquet as pq

    estate = delivered(tmp_path, without(), without())
    for path in (estate.layout.landing / "intensities").rglob("*.parquet"):
        old = ["source", "delivery_id", "known_at", "time", "region", "accounting"]
        pq.write_table(pq.ParquetFile(path).read().select([*old, "gco2e_per_kwh"]), path)
    result = estate.dbt("build", *SIGNALS, **WINDOW)
    assert result.exit_code == 0, result.output
    assert of_day(estate, MONDAY)[5] == (150.0, "measured", None)
