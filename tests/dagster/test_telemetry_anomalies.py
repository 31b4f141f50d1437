"""Fine series of an estate whose marts are published by hand: states, late days, the asset.

What is said of a series is held in tests/unit/engines.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.cli.main import app
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.assets import PUBLICATION, TELEMETRY_ANOMALIES
from finops_dagster.defs.insight.fine_series import (
    GRID,
    MEASURED,
    STATES,
    Watched,
    points,
    since,
    watch,
)
from finops_dagster.defs.insight.telemetry import build_telemetry
from finops_dagster.domain.decisions import Abstained
from finops_dagster.settings import load
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.publication import PublishedReader, Version

AS_OF = date(2026, 5, 4)
FIRST = date(2026, 4, 10)
HOSTILE = "Deployment/shop/$x$<script>alert(1)</script>"
OUTAGE = datetime(2026, 5, 4, 6, tzinfo=UTC)


class World:
    """An estate and what is published of it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "bills").mkdir()
        (folder / "finops.yaml").write_text(
            f"estate: test\nas_of: {AS_OF}\nstart: {FIRST}\nbilling: [{{name: b, path: bills}}]\n"
        )
        self.estate = Estate(load(folder / "finops.yaml"))

    def publish(self, *days: date, scale: float = 1.0, mart: str = MEASURED) -> None:
        """Put a mart's partitions in force."""
        versions = [self._version(mart, day, scale) for day in days]
        self.estate.publications.publish(versions, datetime.now(UTC))

    def _version(self, mart: str, day: date, scale: float) -> Version:
        rows = measured(day, scale) if mart == MEASURED else intensities(day)
        made = Version(
            mart=mart,
            partition=day,
            sha256=hashlib.sha256(rows.to_csv().encode()).hexdigest(),
            rows=len(rows),
            known_at=datetime(2026, 5, 5, tzinfo=UTC),
            inputs=(),
        )
        path = self.estate.publications.path(made)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pandas(rows, preserve_index=False), path)
        return made

    def reader(self) -> PublishedReader:
        manifest = self.estate.publications.current()
        assert manifest is not None
        return self.estate.publications.reader(manifest)

    def watch(self, as_of: date) -> Watched:
        found = watch(self.estate, self.reader(), as_of)
        assert found is not None
        return found

    def kept(self) -> list[Path]:
        return sorted(self.estate.layout.root.rglob(f"{STATES}.parquet"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path)
    made.publish(*until(AS_OF))
    return made


def until(last: date, first: date = FIRST) -> list[date]:
    return [first + timedelta(days=i) for i in range((last - first).days + 1)]


def measured(day: date, scale: float = 1.0) -> pd.DataFrame:
    """Two workloads by five minutes and by the hour; one is far out on the morning of AS_OF."""
    fine = pd.date_range(pd.Timestamp(day, tz="UTC"), periods=288, freq="5min")
    noise = np.random.default_rng(day.toordinal()).normal(0, 0.2, 288)
    cpu = scale * (10 + 3 * np.sin(2 * np.pi * np.arange(288) / 288) + noise)
    web = pd.DataFrame(
        {
            "day": day, "time": fine, "interval_seconds": 300, "resource": HOSTILE,
            "cluster": "main", "container": "server",
            "cpu_cores": np.where((fine >= OUTAGE) & (fine < OUTAGE + timedelta(hours=3)), 60, cpu),
            "memory_working_set_bytes": np.nan,
        }
    )  # fmt: skip
    hours = fine[::12]
    memory = 2.0**31 * (1 + 0.1 * np.sin(2 * np.pi * np.arange(24) / 24))
    other = pd.DataFrame(
        {
            "day": day, "time": hours, "interval_seconds": 3600, "resource": "StatefulSet/shop/db",
            "cluster": "main", "container": None, "cpu_cores": np.nan,
            "memory_working_set_bytes": memory,
        }
    )  # fmt: skip
    return pd.concat([web, other], ignore_index=True)


def intensities(day: date) -> pd.DataFrame:
    hours = pd.date_range(pd.Timestamp(day, tz="UTC"), periods=24, freq="h")
    common = {"day": day, "hour": hours, "region": "eu-west-1", "gco2e_per_kwh": 300.0}
    bases = [("location", "average", "measured"), ("market", "average", "measured"),
             ("location", "marginal", "measured")]  # fmt: skip
    return pd.concat(
        [pd.DataFrame({**common, "accounting": a, "kind": k, "basis": b}) for a, k, b in bases]
    ).assign(basis=lambda one: one["basis"].where(one["hour"].dt.hour != 3, "yearly"))


def told(found: Watched) -> Any:
    result = found.result
    return json.loads(result.found.to_json()), result.abstained, result.series, result.points


def test_points_are_hours_of_what_is_measured_often_enough(world: World) -> None:
    """Harm: five minutes of a job taken for its hour; a mean that depends on the order of rows."""
    rows = measured(AS_OF)
    half = (rows["time"] < OUTAGE) & (rows["time"] >= OUTAGE - timedelta(hours=1))
    few = rows[~half | (rows["interval_seconds"] == 3600) | (rows["time"].dt.minute < 25)]
    found = points(_published(world, few), AS_OF, AS_OF)
    web = found[found["metric"] == "cpu_cores"].set_index("time")["value"]
    assert len(web) == 23  # the hour before the outage has 25 minutes
    for hour, value in web.items():
        inside = rows["time"].between(hour, hour + pd.Timedelta(hours=1), inclusive="left")
        assert value == pytest.approx(rows[inside]["cpu_cores"].mean(), rel=1e-12)
    memory = found[found["metric"] == "memory_working_set_bytes"]
    assert memory["value"].tolist() == pytest.approx(
        rows["memory_working_set_bytes"].dropna().tolist(), rel=1e-12
    )
    assert set(memory["container"]) == {""}
    assert set(found["step_seconds"]) == {3600}


def test_a_step_that_does_not_divide_a_day_begins_with_it(world: World) -> None:
    """Harm: a point of the day before is refused, and with it the day."""
    rows = measured(AS_OF).tail(1).assign(interval_seconds=50_000)
    rows = pd.concat([rows.assign(time=pd.Timestamp(AS_OF, tz="UTC") + pd.Timedelta(hours=h))
                      for h in (0, 14)])  # fmt: skip
    found = points(_published(world, rows), AS_OF, AS_OF)
    assert [one.hour for one in found["time"]] == [0, 13]
    assert set(found["step_seconds"]) == {50_000}


def _published(world: World, rows: pd.DataFrame) -> PublishedReader:
    made = world._version(MEASURED, AS_OF, 9.0)
    pq.write_table(
        pa.Table.from_pandas(rows, preserve_index=False), world.estate.publications.path(made)
    )
    manifest = world.estate.publications.publish([made], datetime.now(UTC))
    return world.estate.publications.reader(manifest)


def test_of_grids_the_measured_average_by_location_is_watched(world: World) -> None:
    world.publish(AS_OF, mart=GRID)
    found = points(world.reader(), AS_OF, AS_OF)
    grid = found[found["metric"] == "gco2e_per_kwh"]
    assert len(grid) == 23
    assert set(grid["resource"]) == {"eu-west-1"}


@pytest.mark.parametrize(
    ("day", "first"),
    [("2026-05-01", "2026-04-01"), ("2026-05-31", "2026-04-01"), ("2026-03-01", "2026-02-01"),
     ("2026-01-15", "2025-12-01")],
)  # fmt: skip
def test_a_day_looks_back_to_the_first_of_the_month_before(day: str, first: str) -> None:
    assert since(date.fromisoformat(day)) == date.fromisoformat(first)


def test_a_state_is_taken_up_and_says_what_a_rebuilt_one_says(world: World, tmp_path: Path) -> None:
    """Harm: the answer depends on whether yesterday ran."""
    world.watch(AS_OF - timedelta(days=1))
    carried = world.watch(AS_OF)
    assert carried.replayed == 0
    for one in world.kept():
        one.unlink()
    rebuilt = world.watch(AS_OF)
    assert rebuilt.replayed == (AS_OF - FIRST).days
    assert told(rebuilt) == told(carried)
    assert [row["class"] for row in rebuilt.result.found.to_dict("records")][:1] == ["far"]


def test_a_day_that_is_decided_twice_says_the_same(world: World) -> None:
    world.watch(AS_OF - timedelta(days=1))
    once, twice = world.watch(AS_OF), world.watch(AS_OF)
    assert told(once) == told(twice)
    assert twice.replayed == 0


def test_a_hole_is_filled_from_what_is_published(world: World) -> None:
    world.watch(AS_OF - timedelta(days=3))
    assert world.watch(AS_OF).replayed == 2


def test_what_came_late_makes_the_states_anew(world: World) -> None:
    """Harm: a state that saw the day before as it was never published."""
    late = AS_OF - timedelta(days=2)
    world.watch(late - timedelta(days=1))
    world.watch(late)
    world.publish(late, scale=3.0)
    # the state before the late day is still good: one day is watched again
    first = world.watch(AS_OF - timedelta(days=1))
    assert first.replayed == 1
    for one in world.kept():
        one.unlink()
    assert told(world.watch(AS_OF - timedelta(days=1))) == told(first)


def test_a_day_before_all_others_makes_the_states_anew(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.publish(*until(AS_OF, FIRST + timedelta(days=5)))
    world.watch(AS_OF - timedelta(days=1))
    world.publish(*until(FIRST + timedelta(days=4)))
    assert world.watch(AS_OF).replayed == (AS_OF - FIRST).days


def test_what_follows_changes_nothing(world: World) -> None:
    """Harm: a past day decided again with what came after it."""
    day = AS_OF - timedelta(days=4)
    before = told(world.watch(day))
    world.watch(AS_OF)
    world.publish(*until(AS_OF, day + timedelta(days=1)), scale=7.0)
    for one in world.kept():
        one.unlink()
    assert told(world.watch(day)) == before


def test_two_states_are_kept(world: World) -> None:
    """Harm: 12,000 numbers a series and day until the disk is full."""
    for back in (3, 2, 1, 0):
        world.watch(AS_OF - timedelta(days=back))
    live = world.estate.layout.insight(AS_OF)
    kept = {path.parent for path in world.kept()}
    assert live in kept
    assert {path.name for path in kept - {live}} == {"2026-05-02", "2026-05-03"}


def test_a_day_without_measurements_is_not_watched(world: World) -> None:
    assert watch(world.estate, world.reader(), AS_OF + timedelta(days=1)) is None


def materialised(world: World) -> dg.AssetMaterialization:
    @dg.asset(key=PUBLICATION)
    def publication() -> None: ...

    common = {
        "group_name": "insight",
        "partitions_def": dg.DailyPartitionsDefinition(start_date=FIRST.isoformat()),
    }
    manifest = world.estate.publications.current()
    assert manifest is not None
    world.estate.day(AS_OF).write_document(
        "publication", {"publication_id": manifest.id, "reconstructed": False}
    )
    result = dg.materialize(
        [publication, *build_telemetry(PUBLICATION, common)],
        partition_key=AS_OF.isoformat(),
        selection=[TELEMETRY_ANOMALIES],
        resources={"estate": world.estate},
    )
    (made,) = result.asset_materializations_for_node("insight__telemetry_anomalies")
    return made


def test_the_asset_keeps_and_shows_what_was_found(world: World) -> None:
    metadata = materialised(world).metadata
    assert metadata["far_out"].value == 1
    assert metadata["series"].value == 2
    assert metadata["days_watched_again"].value == (AS_OF - FIRST).days
    (far,) = metadata["far"].records
    assert far.data["series"] == f"cpu_cores of {HOSTILE} (server, main)"
    assert far.data["since"].startswith("2026-05-04 06:00")
    assert str(metadata["plot_1"].value).startswith("![plot](data:image/png;base64,")
    day = DayStore(world.estate.layout.insight(AS_OF))
    frame = day.frame("telemetry_anomalies")
    assert frame is not None
    assert frame.loc[0, "class"] == "far"
    assert frame.loc[0, "from"] == OUTAGE
    assert frame.loc[0, "to"] == OUTAGE + timedelta(hours=3)
    assert frame.loc[0, "owner"] == ""
    assert day.items("telemetry_anomalies_abstained", Abstained) == []


def test_a_day_without_measurements_says_so(world: World, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = World(tmp_path / "other")
    other.publish(*until(AS_OF - timedelta(days=1)))
    assert "nothing that was measured on 2026-05-04" in str(
        materialised(other).metadata["abstained"].value
    )
    (one,) = DayStore(other.estate.layout.insight(AS_OF)).items(
        "telemetry_anomalies_abstained", Abstained
    )
    assert one.subject == "telemetry"


def test_what_was_found_is_listed(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A page that cannot be listed cannot be sent on."""
    materialised(world)
    world.estate.day(AS_OF).write_document("verdicts", [])  # the rest of the day's decision
    monkeypatch.chdir(world.folder)
    app(["telemetry-anomalies", "--json"], standalone_mode=False)
    answer = json.loads(capsys.readouterr().out)
    assert answer["schema"] == "finops.telemetry_anomalies/1"
    assert answer["as_of"] == "2026-05-04"
    first = answer["items"][0]
    assert (first["class"], first["resource"], first["unit"]) == ("far", HOSTILE, "cores")
    assert (first["from"], first["to"]) == ("2026-05-04T06:00:00Z", "2026-05-04T09:00:00Z")
    assert (first["points"], first["began"]) == (3, True)
    app(["telemetry-anomalies"], standalone_mode=False)
    assert "telemetry anomalies of 2026-05-04" in capsys.readouterr().out
    app(["telemetry-anomalies", "--as-of", "2026-04-20", "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["errors"][0]["code"] == "not_decided"
