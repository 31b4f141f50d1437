"""The shipped figures of carbon, held against third-party data where that is at hand."""

from __future__ import annotations

import csv
from pathlib import Path
from statistics import median

import pandas as pd
import pytest

from finops_dagster.demo.folders import CLUSTER_REGIONS

ROOT = Path(__file__).parents[2]
SEEDS = ROOT / "dbt_project" / "seeds" / "carbon"


def seed(name: str) -> list[dict[str, str]]:
    with (SEEDS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def shared() -> Path:
    found = ROOT.parent / "shared" / "data" / "carbon"
    if not found.is_dir():
        pytest.skip("third-party data is not beside this checkout")
    return found


def test_every_figure_says_where_it_is_from() -> None:
    """A figure without a source cannot be defended in an audit."""
    for name in ("carbon_coefficients", "cpu_watts", "instance_families",
                 "grid_intensities_yearly"):  # fmt: skip
        for row in seed(name):
            assert row["source"].strip(), row
            assert 1990 < int(row["year"]) < 2027, row
    for row in seed("grid_zones"):
        assert row["source"].strip(), row


def test_regions_of_the_estate_are_mapped() -> None:
    """The example that people start from must find its grids."""
    mapped = {row["region"] for row in seed("grid_zones")}
    assert set(CLUSTER_REGIONS.values()) <= mapped


def test_the_yearly_table_has_no_area_that_no_region_lies_in() -> None:
    """A misspelt area would make its regions gaps that nobody can explain."""
    areas = {row[key] for row in seed("grid_zones") for key in ("country", "subregion")}
    assert {row["area"] for row in seed("grid_intensities_yearly")} <= areas


def test_yearly_means_are_near_those_that_google_publishes(shared: Path) -> None:
    """A typing error of a digit would be off by far more than how two publishers differ."""
    with (shared / "gcp_region_carbon" / "data" / "yearly" / "2023.csv").open() as file:
        rows = list(csv.DictReader(file))
    theirs = {
        row["Google Cloud Region"]: float(row["Grid carbon intensity (gCO2eq / kWh)"])
        for row in rows
        if row["Grid carbon intensity (gCO2eq / kWh)"]
    }
    yearly = {(row["area"], row["factors"]): float(row["gco2e_per_kwh"])
              for row in seed("grid_intensities_yearly")}  # fmt: skip
    ratios = []
    for zone in seed("grid_zones"):
        ours = [yearly[area, factors] for area in (zone["subregion"], zone["country"])
                for factors in ("direct", "lifecycle") if (area, factors) in yearly]  # fmt: skip
        if zone["region"] in theirs and ours and theirs[zone["region"]] > 50:
            near = min(ours, key=lambda value: abs(value - theirs[zone["region"]]))
            ratios.append(near / theirs[zone["region"]])
    assert len(ratios) >= 25
    assert 0.85 < median(ratios) < 1.3
    # by generation against by consumption, lifecycle against direct, a nation against a utility
    assert all(1 / 4 < ratio < 4 for ratio in ratios), sorted(ratios)


def test_watts_lie_among_those_of_single_processors(shared: Path) -> None:
    """An average outside of what it is the average of was typed wrongly."""
    known = {(row["provider"], row["coefficient"]): float(row["value"])
             for row in seed("carbon_coefficients")}  # fmt: skip
    for provider in ("aws", "azure", "gcp"):
        path = shared / "ccf_coefficients" / "output" / f"coefficients-{provider}-use.csv"
        with path.open() as file:
            rows = list(csv.DictReader(file))
        for column, coefficient in (("Min Watts", "min_watts_per_vcpu"),
                                    ("Max Watts", "max_watts_per_vcpu")):  # fmt: skip
            values = [float(row[column]) for row in rows]
            assert min(values) < known[provider, coefficient] < max(values)


def test_servers_drew_what_their_results_say(shared: Path) -> None:
    """Watts of a processor are read off a published result: the very numbers must be in it."""
    path = shared / "ccf_coefficients" / "data" / "SPECpower-full-results.csv"
    frame = pd.read_csv(path, encoding="latin1")
    frame.columns = [name.strip() for name in frame.columns]
    found = {
        (int(row["Total Threads"]), str(row["avg. watts @ active idle"]),
         str(row["avg. watts @ 100%"]))
        for _, row in frame.dropna(subset=["Total Threads"]).iterrows()
    }  # fmt: skip
    for row in seed("cpu_watts"):
        assert (int(row["vcpus"]), row["idle_watts"], row["full_watts"]) in found, row


def test_uncertainty_of_hours_is_what_real_grids_show(shared: Path) -> None:
    """Where nobody publishes an uncertainty, ours must be one that can be worked out again."""
    errors, below = [], []
    for grid in ("DE", "SE", "CISO", "PJM", "ERCO"):
        path = shared / "grids" / "data" / grid / f"{grid}_lifecycle_emissions.parquet"
        frame = pd.read_parquet(path)
        value = frame["carbon_intensity"]
        time = pd.to_datetime(frame["UTC time"], utc=True, format="mixed")
        slot = value.groupby([time.dt.year, time.dt.month, time.dt.hour]).transform("mean")
        errors.append(float(((slot - value).abs() / value.where(value > 0)).quantile(0.9)))
        below.append(1 - float(value.quantile(0.05) / value.mean()))
    known = {row["coefficient"]: row for row in seed("carbon_coefficients")
             if row["provider"] == "any"}  # fmt: skip
    for name, found in (("grid_estimated_uncertainty_share", errors),
                        ("grid_yearly_uncertainty_share", below)):  # fmt: skip
        row = known[name]
        assert float(row["value"]) == pytest.approx(median(found), abs=0.02)
        assert float(row["low"]) == pytest.approx(min(found), abs=0.04)
        assert float(row["high"]) == pytest.approx(max(found), abs=0.02)
