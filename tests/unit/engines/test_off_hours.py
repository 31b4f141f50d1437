"""Off-hours as a schedule: exceptions, time zones, savings and manifests."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
import yaml

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.engines.optimisation import SizingConfig, find
from finops_dagster.engines.optimisation.scalers import Cron, Scaler, Scaling, Text
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    prices,
    steady,
    times,
)

T = times()
OFFICE = Cron("0 6 * * 1-5", "0 20 * * 1-5", "UTC")
NIGHT = (T.hour < 7) | (T.hour >= 19) | (T.dayofweek >= 5)
SLEEPY = Workload(
    "Deployment/dev/sleepy",
    np.where(NIGHT, 0.01, 0.8),
    steady(0.8 * GIB, 0.01 * GIB, 4),
    environment="dev",
)


def asleep(
    workload: Workload, rows: pd.DataFrame | None = None, **changes: object
) -> Finding | None:
    """The OFF_HOURS finding of an estate of one workload."""
    measured = measurements([workload]) if rows is None else rows
    result = find(
        measured, prices([workload]), context([workload], **changes), AS_OF, SizingConfig()
    )
    found = [f for f in result.findings if f.kind is FindingKind.OFF_HOURS]
    assert len(found) <= 1
    return found[0] if found else None


def used(*moments: str) -> Workload:
    """The sleepy workload, awake in these hours too (UTC)."""
    hours = pd.DatetimeIndex(list(moments), tz="UTC")
    return replace(SLEEPY, cpu=np.where(T.floor("h").isin(hours), 0.8, SLEEPY.cpu))


def test_the_schedule_is_a_manifest_and_its_saving_is_what_really_ends() -> None:
    """A saving that forgets the lead and the way down is never seen on a bill."""
    finding = asleep(SLEEPY)
    assert finding is not None
    # 168 hours less five times 12 hours, 10 minutes ahead and 5 after
    share = (168 - 5 * 12.25) / 168
    assert finding.evidence.figures["off_share_of_week"] == pytest.approx(share, abs=1e-5)
    cost = (0.04 + 0.005) * 2 * 730
    assert float(finding.saving_per_month.mid) == pytest.approx(cost * share, rel=1e-4)
    assert finding.saving_per_month.low < finding.saving_per_month.mid
    assert finding.field == finding.proposed == ""
    spec = yaml.safe_load(finding.suggestion)["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (0, 2)
    assert spec["triggers"] == [
        {
            "type": "cron",
            "metadata": {
                "timezone": "UTC",
                "start": "50 6 * * 1-5",
                "end": "0 19 * * 1-5",
                "desiredReplicas": "2",
            },
        }
    ]
    assert "daylight saving time shifts these hours" in finding.reason


def test_one_evening_is_an_exception_and_is_told() -> None:
    """One late release must not keep every Tuesday night on, nor be kept from whom it meets."""
    finding = asleep(used("2026-03-24 21:00", "2026-03-24 22:00"))
    assert finding is not None
    assert "Mon-Fri 07:00-19:00 UTC. Exceptions: 2 hours, on 2026-03-24." in finding.reason
    assert finding.evidence.figures["exceptions_hours"] == 2
    # those two hours are no saving: somebody would have started it
    share = (14 * 24 - 10 * 12.25 - 2) / (14 * 24)
    assert finding.evidence.figures["off_share_of_week"] == pytest.approx(share, abs=1e-5)
    plain = asleep(SLEEPY)
    assert plain is not None
    assert finding.risk > plain.risk


def test_an_hour_used_every_week_is_on() -> None:
    """A weekly job in the evening that is stopped fails every week."""
    finding = asleep(used("2026-03-17 21:00", "2026-03-24 21:00"))
    assert finding is not None
    assert "Tue 07:00-22:00" in finding.reason
    assert "Exceptions" not in finding.reason


def test_many_exceptions_are_no_schedule() -> None:
    """A team without hours would be locked out on one evening in two."""
    two, third = ("2026-03-16 20:00", "2026-03-18 21:00"), "2026-03-26 22:00"
    assert asleep(used(*two)) is not None
    assert asleep(used(*two, third)) is None


def test_hours_are_those_of_the_declared_time_zone() -> None:
    """Hours in UTC wake people up an hour late from the last Sunday of March on."""
    zoned = Scaling(zones={SLEEPY.resource: "America/Bogota"})
    finding = asleep(SLEEPY, scaling=zoned)
    assert finding is not None
    assert "Mon-Fri 02:00-14:00 America/Bogota" in finding.reason
    assert "daylight" not in finding.reason
    (trigger,) = yaml.safe_load(finding.suggestion)["spec"]["triggers"]
    assert trigger["metadata"]["timezone"] == "America/Bogota"
    assert trigger["metadata"]["start"] == "50 1 * * 1-5"


def test_gpus_at_work_are_not_asleep() -> None:
    """Training by night takes next to no CPU, and is what the machine was bought for."""
    busy = replace(SLEEPY, gpu=np.where(NIGHT, 90.0, 0.0))
    assert asleep(busy) is None
    finding = asleep(replace(SLEEPY, gpu=np.where(NIGHT, 0.0, 60.0)))
    assert finding is not None


def test_replicas_that_are_gone_by_night_already_save_nothing_by_night() -> None:
    """An autoscaler's night is cheap already: its mean cost an hour is not what ends there."""
    rows = measurements([SLEEPY])
    rows["replicas"] = np.where(NIGHT, 1.0, 4.0)
    hpa = "HorizontalPodAutoscaler/dev/sleepy"
    finding = asleep(
        SLEEPY,
        rows,
        managed={SLEEPY.resource: hpa},
        scaling=Scaling(scalers={SLEEPY.resource: Scaler(hpa, 1, 6, 0.7)}),
    )
    assert finding is not None
    off = (168 - 5 * 12.25) - 0.0
    share = off / (108 + 60 * 4)
    # the lead and the way down are minutes of the night, at one replica
    assert finding.evidence.figures["off_share_of_week"] == pytest.approx(share, abs=1e-5)
    manifest = yaml.safe_load(finding.suggestion)
    assert manifest["spec"]["triggers"][-1]["metadata"] == {"value": "70"}
    assert manifest["spec"]["advanced"]["horizontalPodAutoscalerConfig"] == {"name": "sleepy"}


@pytest.mark.parametrize(
    "scaler",
    [
        None,
        Scaler("HorizontalPodAutoscaler/dev/sleepy", 1, 6, None, (), ("requests",)),
        Scaler("ScaledObject/dev/sleepy", 1, 6, 0.7, (OFFICE,)),
    ],
)
def test_what_something_else_scales_is_left_to_it(scaler: Scaler | None) -> None:
    """A schedule in the place of a queue's scaler stops the work that waits."""
    scaling = Scaling(scalers={SLEEPY.resource: scaler} if scaler else {})
    assert asleep(SLEEPY, managed={SLEEPY.resource: "its scaler"}, scaling=scaling) is None


def test_the_saving_with_sizing_is_never_above_the_cost() -> None:
    """Sizing and switching off overlap: promised together they must not exceed the bill."""
    both = replace(SLEEPY, cpu=SLEEPY.cpu / 8, memory=np.full(len(T), 0.2 * GIB))
    result = find(measurements([both]), prices([both]), context([both]), AS_OF, SizingConfig())
    kinds = {f.kind for f in result.findings}
    assert {FindingKind.RIGHTSIZE_CPU, FindingKind.OFF_HOURS} <= kinds
    assert FindingKind.SCHEDULED_SCALING not in kinds
    total = sum(f.saving_per_month.mid for f in result.findings)
    assert 0 < total <= Decimal((1 * 0.04 + 1 * 0.005) * 2 * 730)


def test_unsorted_repeated_and_later_rows_change_nothing() -> None:
    """What is decided of a day must not hang on the order of its rows, or on the next day's."""
    rows = measurements([SLEEPY])
    later = rows.assign(time=rows["time"] + pd.Timedelta(days=14), cpu_cores=9.0)
    mixed = pd.concat([rows, rows, later]).sample(frac=1.0, random_state=1)
    assert asleep(SLEEPY, mixed) == asleep(SLEEPY)


def test_a_week_of_history_and_production_are_silent() -> None:
    """A pattern seen once is none; and production must answer the first customer at any hour."""
    week = replace(SLEEPY, cpu=SLEEPY.cpu[-7 * 288 :], memory=SLEEPY.memory[-7 * 288 :], days=7)
    assert asleep(week) is None
    assert asleep(replace(SLEEPY, environment="prod")) is None


def scheduled(cron: Cron, minimum: int = 1) -> Finding | None:
    """The finding where a ScaledObject has this schedule already, and this minimum."""
    name = "ScaledObject/dev/sleepy"
    text = Text("spec.minReplicaCount", str(minimum))
    scaler = Scaler(name, minimum, 2, None, (cron,), (), text)
    rows = measurements([SLEEPY])
    rows["replicas"] = np.where((T.hour >= 6) & (T.hour < 20) & (T.dayofweek < 5), 2.0, 1.0)
    scaling = Scaling(scalers={SLEEPY.resource: scaler})
    return asleep(SLEEPY, rows, managed={SLEEPY.resource: name}, scaling=scaling)


def test_a_declared_schedule_that_keeps_one_by_night_is_edited() -> None:
    """Next to a schedule that is there a second one would be refused, or fight it."""
    finding = scheduled(OFFICE)
    assert finding is not None
    assert (finding.resource, finding.field) == ("ScaledObject/dev/sleepy", "spec.minReplicaCount")
    assert (finding.current, finding.proposed, finding.suggestion) == ("1", "0", "")
    # 98 of 168 hours at one replica, less five minutes a day of way down, of 98 + 2 * 70
    share = (98 - 5 * 5 / 60) / (98 + 2 * 70)
    assert finding.evidence.figures["off_share_of_week"] == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize(
    "cron",
    [
        Cron("0 9 * * 1-5", "0 20 * * 1-5", "UTC"),
        Cron("*/5 9 * * 1-5", "0 20 * * 1-5", "UTC"),
        Cron("0 6 * * 1-5", "0 20 * * 1-5", "Nowhere/City"),
    ],
)
def test_a_declared_schedule_that_does_not_cover_the_use_is_left(cron: Cron) -> None:
    """Taken to nothing between its hours it would be down from seven to nine."""
    assert scheduled(cron) is None
