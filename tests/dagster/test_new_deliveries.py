"""What the sensor asks for when something is delivered; no run is started."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import BILLING_JOB, SIGNALS_JOB, build_jobs
from finops_dagster.defs.sensors import build_new_deliveries
from finops_dagster.settings import load
from finops_dagster.sources import FileSource

FIRST = "dagster/asset_partition_range_start"
LAST = "dagster/asset_partition_range_end"
BILL = "BilledCost\n1\n"


class Looks:
    """An estate with one bill and one log of measurements, looked at again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("bills", "telemetry"):
            (folder / name).mkdir()
        (folder / "finops.yaml").write_text(
            "estate: test\nas_of: 2025-06-30\nstart: 2025-01-01\n"
            "billing: [{name: cloud, path: bills}]\n"
            "telemetry: [{name: cluster, path: telemetry}]\n"
        )
        self.cursor: str | None = None

    def deliver(self, partition: str, body: str = BILL) -> None:
        key = "billing_period" if partition.endswith("-01") else "day"
        place = self.folder / ("bills" if key == "billing_period" else "telemetry")
        file = place / f"{key}={partition}" / "part.csv"
        file.parent.mkdir(exist_ok=True)
        file.write_text(body)

    def look(self) -> list[tuple[str, str, str]]:
        return [(one.job_name or "", one.tags[FIRST], one.tags[LAST]) for one in self.requests()]

    def requests(self) -> list[dg.RunRequest]:
        estate = Estate(load(self.folder / "finops.yaml"))
        sensor = build_new_deliveries(lambda: estate, build_jobs())
        with dg.DagsterInstance.ephemeral() as instance:
            result = sensor(dg.build_sensor_context(instance=instance, cursor=self.cursor))
        assert isinstance(result, dg.SensorResult)
        self.cursor = result.cursor
        return list(result.run_requests or ())


@pytest.fixture
def looks(tmp_path: Path) -> Looks:
    return Looks(tmp_path)


def test_exactly_the_periods_of_a_new_delivery_are_asked_for(looks: Looks) -> None:
    """A run over every month from the first new one to the last rebuilds what did not change."""
    for month in ("2025-01-01", "2025-02-01", "2025-05-01"):
        looks.deliver(month)
    assert looks.look() == [
        (BILLING_JOB, "2025-01-01", "2025-02-01"),
        (BILLING_JOB, "2025-05-01", "2025-05-01"),
    ]
    looks.deliver("2025-02-01", "BilledCost\n2\n")
    looks.deliver("2025-06-29")
    assert looks.look() == [
        (BILLING_JOB, "2025-02-01", "2025-02-01"),
        (SIGNALS_JOB, "2025-06-29", "2025-06-29"),
    ]


def test_a_delivery_is_asked_for_once(looks: Looks) -> None:
    """A run that fails must not be started again every five minutes."""
    looks.deliver("2025-01-01")
    (first,) = looks.requests()
    assert looks.requests() == []
    # written again, byte for byte: its listing changes, what it delivers does not
    looks.deliver("2025-01-01")
    assert looks.requests() == []
    looks.cursor = None
    (again,) = looks.requests()
    assert again.run_key == first.run_key


def test_what_is_published_is_not_asked_for(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daily schedule takes deliveries in as well: each is built once."""
    looks.deliver("2025-01-01")
    estate = Estate(load(looks.folder / "finops.yaml"))
    (delivery,) = line.expected(estate, line.BILLING, estate.now())
    monkeypatch.setattr(
        line, "published_inputs", lambda *_: {delivery.partition: {delivery.delivery_id}}
    )
    assert looks.look() == []
    looks.deliver("2025-01-01", "BilledCost\n2\n")
    assert looks.look() == [(BILLING_JOB, "2025-01-01", "2025-01-01")]


def test_no_row_is_read_to_notice_a_delivery(looks: Looks, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look every five minutes at ten million rows is a second bill."""
    looks.deliver("2025-01-01")

    def refuse(*_: object) -> None:
        raise AssertionError("rows were read")

    monkeypatch.setattr(FileSource, "read", refuse)
    monkeypatch.setattr("finops_dagster.sources.source.reaches_of", refuse)
    assert len(looks.look()) == 1
    monkeypatch.setattr(FileSource, "deliveries", refuse)
    assert looks.look() == []


def test_a_place_that_is_down_hides_no_other(looks: Looks) -> None:
    """One cluster's lost share must not keep every bill waiting."""
    looks.deliver("2025-06-29")
    estate = Estate(load(looks.folder / "finops.yaml"))
    (looks.folder / "bills").rmdir()
    sensor = build_new_deliveries(lambda: estate, build_jobs())
    with dg.DagsterInstance.ephemeral() as instance:
        result = sensor(dg.build_sensor_context(instance=instance))
        assert isinstance(result, dg.SensorResult)
        assert [one.job_name for one in result.run_requests or ()] == [SIGNALS_JOB]
        later = sensor(dg.build_sensor_context(instance=instance, cursor=result.cursor))
    assert isinstance(later, dg.SensorResult)
    assert later.skip_reason is not None
    assert "bills is not there" in str(later.skip_reason.skip_message)
    assert "billing" not in json.loads(later.cursor or "{}")


def test_nobody_is_asked_before_it_is_switched_on(definitions: dg.Definitions) -> None:
    """Whoever opens the UI for a look has not agreed to runs; as with the schedule."""
    sensor = definitions.resolve_sensor_def("new_deliveries")
    assert sensor.default_status is dg.DefaultSensorStatus.STOPPED
    assert {job.name for job in sensor.jobs} == {BILLING_JOB, SIGNALS_JOB}
