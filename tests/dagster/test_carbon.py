"""Carbon of the simulated estate, held against a computation that anyone can follow; live APIs."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from pydantic import SecretStr

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.settings import CarbonSettings, CredentialSettings, Settings
from tests.unit.sources.carbon_api import TOKEN, electricity_maps, serving

TOLERANCE = 1e-9
"""Relative: what the order of sums of doubles may change."""

Key = tuple[date, str, str]


def rows_of(folder: Path, day: date) -> list[dict[str, object]]:
    (path,) = (folder / f"day={day.isoformat()}").glob("*.parquet")
    return list(pq.ParquetFile(path).read().to_pylist())


def coefficients(root: Path) -> dict[tuple[str, str], dict[str, float]]:
    with (root / "dbt_project" / "seeds" / "carbon" / "carbon_coefficients.csv").open() as file:
        return {
            (row["provider"], row["coefficient"]): {
                end: float(row[end]) for end in ("value", "low", "high")
            }
            for row in csv.DictReader(file)
        }


def plainly(
    telemetry: list[dict[str, object]],
    carbon: list[dict[str, object]],
    clusters: dict[str, str],
    known: dict[tuple[str, str], dict[str, float]],
) -> dict[Key, dict[str, float]]:
    """Emissions by day, cluster and resource: one sample after another, one factor at a time."""
    providers = {"eu-west-1": "aws", "us-east-1": "aws", "westeurope": "azure",
                 "europe-west4": "gcp", "us-central1": "gcp"}  # fmt: skip
    intensity = {
        (one["region"], one["time"], one["accounting"]): float(str(one["gco2e_per_kwh"]))
        for one in carbon
    }
    samples: dict[tuple[object, ...], dict[str, float]] = defaultdict(dict)
    for one in telemetry:
        place = (one["cluster"], one["kind"], one["namespace"], one["name"], one["container"],
                 one["time"], one["interval_seconds"])  # fmt: skip
        samples[place][str(one["metric"])] = float(str(one["value"]))
    uncertainty = known["any", "grid_measured_uncertainty_share"]["value"]
    found: dict[Key, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for place, metrics in samples.items():
        cluster, kind, namespace, name, _, time, seconds = place
        cores = metrics.get("container_cpu_usage_seconds_total")
        memory = metrics.get("container_memory_working_set_bytes")
        gpu = metrics.get("DCGM_FI_DEV_POWER_USAGE")
        if cores is None and memory is None and gpu is None:
            continue
        assert isinstance(time, datetime)
        hours = float(str(seconds)) / 3600
        region = clusters[str(cluster)]
        hour = time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        total = found[hour.date(), str(cluster), f"{kind}/{namespace}/{name}"]
        for end in ("value", "low", "high"):
            of = {c: known[providers[region], c][end] for p, c in known if p == "aws"}
            watts = gpu or 0.0
            if cores is not None:
                held = max(cores, metrics.get("kube_pod_container_resource_requests_cpu", cores))
                watts += held * of["min_watts_per_vcpu"]
                watts += cores * (of["max_watts_per_vcpu"] - of["min_watts_per_vcpu"])
            if memory is not None:
                asked = metrics.get("kube_pod_container_resource_requests_memory", memory)
                watts += max(memory, asked) / 2**30 * of["memory_kwh_per_gb_hour"] * 1000
            kwh = watts * hours / 1000 * of["power_usage_effectiveness"]
            total[f"energy_{end}"] += kwh
            for accounting in ("location", "market"):
                grid = intensity[region, hour, accounting]
                grid *= {"value": 1, "low": 1 - uncertainty, "high": 1 + uncertainty}[end]
                total[f"{accounting}_{end}"] += kwh * grid
    return found


def test_carbon_of_the_estate_is_each_hours_energy_at_each_hours_intensity(
    settings: Settings, root: Path, tmp_path: Path
) -> None:
    """A join that is an hour or a region off would still look like a plausible figure."""
    estate = Estate(settings.in_folder(settings.folder, {"state_dir": tmp_path / "state"}))
    last = settings.decided_day()
    first, cutoff = last - timedelta(days=1), estate.cutoff(last)
    for table in ("measurements", "intensities"):
        assert all(not one.set_faults
                   for one in line.land_window(estate, table, first, last, cutoff))  # fmt: skip
    warehouse = tmp_path / "warehouse.duckdb"
    variables = line.dbt_vars(estate, cutoff, first, last, line.SIGNALS)
    line.rebuild_warehouse(estate, warehouse, {line.SIGNALS: variables})
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        marts = connection.execute(
            "select day, cluster, resource, energy_kwh, energy_low_kwh, energy_high_kwh,"
            " location_gco2e, location_low_gco2e, location_high_gco2e,"
            " market_gco2e, market_low_gco2e, market_high_gco2e,"
            " location_coverage, location_basis, location_reason"
            " from fct_workload_carbon_daily"
        ).fetchall()
    expected: dict[Key, dict[str, float]] = {}
    for day in (first, last):
        expected |= plainly(
            rows_of(settings.folder / "telemetry", day),
            rows_of(settings.folder / "carbon", day),
            settings.clusters,
            coefficients(root),
        )
    assert {tuple(row[:3]) for row in marts} == set(expected)
    names = [f"{what}_{end}" for what in ("energy", "location", "market")
             for end in ("value", "low", "high")]  # fmt: skip
    for day, cluster, resource, *figures in marts:
        told = expected[day, cluster, resource]
        assert figures[:9] == pytest.approx([told[name] for name in names], rel=TOLERANCE)
        assert figures[9:] == [1.0, "measured", None]
    assert sum(row[6] for row in marts) > 0


def asking(settings: Settings, url: str, state: Path, **changed: object) -> Estate:
    """The estate with an API in place of its carbon files."""
    source = CarbonSettings(
        name="grid", path=url, format="electricity_maps", options={"zones": "IE"}
    )
    update = {
        "state_dir": state,
        "as_of": None,
        "carbon": (source,),
        "credentials": {"grid": CredentialSettings(token=SecretStr(TOKEN))},
        **changed,
    }
    return Estate(settings.in_folder(settings.folder, update))


def test_an_api_is_asked_for_a_live_day_and_known_from_then(
    settings: Settings, tmp_path: Path
) -> None:
    """What was asked for must be in force in the very run that asked, and not for earlier days."""
    with serving(electricity_maps) as server:
        estate = asking(settings, server.url, tmp_path)
        day = estate.settings.decided_day()
        line.ask(estate, line.SIGNALS, day - timedelta(days=1), day)
        assert {one.query["zone"] for one in server.asked} == {"IE"}
        wanted = line.expected(estate, line.SIGNALS, estate.cutoff(day))
        asked = [one for one in wanted if one.table == "intensities"]
        assert [one.partition for one in asked] == [day - timedelta(days=1), day]
        (landed, *_) = line.land_window(estate, "intensities", day, day, estate.cutoff(day))
        # the first hour of the next day is in the answer, and stays with it
        assert (landed.rows_landed, landed.set_faults) == (25, ())
        earlier = line.expected(estate, line.SIGNALS, estate.cutoff(day - timedelta(days=9)))
        assert not [one for one in earlier if one.table == "intensities"]


def test_a_day_of_the_past_asks_nobody(settings: Settings, tmp_path: Path) -> None:
    """What an API says today was not known then: to use it would be to know the future."""
    with serving(electricity_maps) as server:
        estate = asking(settings, server.url, tmp_path, as_of=settings.as_of)
        day = estate.settings.decided_day()
        line.ask(estate, line.SIGNALS, day, day)
        assert server.asked == []
        assert list(estate.sources("intensities")[0].deliveries()) == []
