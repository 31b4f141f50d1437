"""Serverless functions: their memory, and concurrency that is kept for nobody."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import FindingKind, ValueLocation
from finops_dagster.engines.optimisation import FindResult, SizingConfig
from finops_dagster.engines.optimisation.functions import (
    DeclaredFunction,
    declared_functions,
    function_name,
    join_billed,
)
from finops_dagster.engines.optimisation.ground import Declared, Ground, ground_of
from finops_dagster.engines.optimisation.provisioned_concurrency import provisioned_concurrency
from finops_dagster.engines.optimisation.serverless_memory import serverless_memory
from finops_dagster.engines.optimisation.window import NO_ROWS
from tests.unit.engines.estates import AS_OF, context

NAME = "ServerlessFunction/fn/a"
DECLARED = {
    NAME: DeclaredFunction(
        Declared("memorySize", "1024", Decimal(1024)),
        Declared("provisionedConcurrency", "10", Decimal(10)),
    )
}


def hours(days: int, until: int = 0) -> pd.DatetimeIndex:
    """Starts of the hours of so many days, ending so many days before the day is over."""
    end = pd.Timestamp(AS_OF, tz="UTC") + timedelta(days=1 - until)
    return pd.date_range(end - timedelta(days=days), end, freq="h", inclusive="left")


def ran(
    memory: float = 1024,
    fixed: float = 90.0,
    per_mb: float = 10_240.0,
    days: int = 14,
    until: int = 0,
    **more: Any,
) -> pd.DataFrame:
    """Hours of a function whose duration is `fixed` + `per_mb` / memory ms, twice that at P95."""
    duration = fixed + per_mb / memory
    return pd.DataFrame(
        {
            "resource": NAME, "name": "a", "cluster": "main", "time": hours(days, until),
            "interval_seconds": 3600, "invocations": 1000.0, "duration_ms_mean": duration,
            "duration_ms_p95": 2 * duration, "memory_mb": memory, "memory_used_mb_max": 200.0,
        }
        | more
    )  # fmt: skip


BEFORE = ran(512, days=7, until=14)
"""A week at half the memory, before."""


def paid(meters: dict[str, float], days: int = 14) -> pd.DataFrame:
    """A price a unit by meter, 100 units a day."""
    rows = [
        (
            NAME, meter, "USD", pd.Timestamp(AS_OF - timedelta(days=offset)), Decimal(100),
            Decimal(str(price * 100)), Decimal(str(price)),
        )
        for meter, price in meters.items()
        for offset in range(days)
    ]  # fmt: skip
    columns = ["resource", "meter", "currency", "day", "quantity", "cost", "unit_price"]
    return pd.DataFrame(rows, columns=columns)


def ground(meters: dict[str, float], environment: str = "production") -> Ground:
    """An estate that pays these prices."""
    owners = pd.DataFrame(
        [(NAME, "shop", environment)], columns=["resource", "owner", "environment"]
    )
    return ground_of(NO_ROWS, paid(meters), context([], owners=owners), AS_OF, SizingConfig())


def sized(
    *frames: pd.DataFrame,
    limit: float | None = None,
    declared: dict[str, DeclaredFunction] | None = None,
    meters: dict[str, float] | None = None,
) -> FindResult:
    """What is found of the memory."""
    prices = {"serverless_compute": 0.3} if meters is None else meters
    return serverless_memory(
        ground(prices),
        pd.concat(frames, ignore_index=True),
        DECLARED if declared is None else declared,
        lambda _: limit,
    )


def test_memory_is_lowered_as_far_as_latency_allows_at_the_price_paid() -> None:
    """A size that is cheap and slow costs customers; one that is fast and empty costs money."""
    (finding,) = sized(BEFORE, ran()).findings
    assert finding.kind is FindingKind.SERVERLESS_MEMORY
    # P95 is 180 + 20,480 / m: 200 ms at 1,024; at most 210 is 20,480 / 30 = 682.7, so 704 MB
    assert (finding.field, finding.current, finding.proposed) == ("memorySize", "1024", "704")
    # cost: 704 x (90 + 10,240 / 704) over 1,024 x (90 + 10)
    share = 1 - (704 * 90 + 10_240) / (1024 * 100)
    cost = 100 * 0.3 * 365 / 12
    assert float(finding.saving_per_month.mid) == pytest.approx(cost * share)
    assert finding.saving_per_month.low < finding.saving_per_month.mid
    figures = finding.evidence.figures
    assert figures["duration_p95_ms"] == pytest.approx(200)
    assert figures["duration_p95_ms_after"] == pytest.approx(180 + 20_480 / 704, rel=1e-5)
    assert finding.risk < 0.05


def test_a_function_that_waits_for_the_cpu_keeps_its_memory() -> None:
    """Half the memory takes it twice as long, and costs the same."""
    slow: dict[str, Any] = {"fixed": 0.0, "per_mb": 102_400.0}
    assert sized(ran(512, days=7, until=14, **slow), ran(**slow)) == FindResult([], [])


def test_memory_in_use_is_never_taken_away() -> None:
    """An invocation that runs out of memory is killed; the month's end counts too."""
    idle: dict[str, Any] = {"fixed": 100.0, "per_mb": 0.0}
    full = ran(512, days=7, until=14, **idle, memory_used_mb_max=500.0)
    (finding,) = sized(full, ran(**idle)).findings
    # 500 x 1.15 = 575: the next step of 64 is 576
    assert finding.proposed == "576"
    assert sized(full.assign(memory_used_mb_max=900.0), ran(**idle)) == FindResult([], [])


def test_no_size_below_those_seen_is_told() -> None:
    """A curve says nothing of where it was never measured."""
    idle: dict[str, Any] = {"fixed": 100.0, "per_mb": 0.0}
    (finding,) = sized(ran(512, days=7, until=14, **idle), ran(**idle)).findings
    assert finding.proposed == "512"


def test_of_one_size_alone_a_trial_is_told_and_no_saving_promised() -> None:
    """At another size it may be slower for the same money."""
    (finding,) = sized(ran()).findings
    assert finding.field == finding.proposed == ""
    assert finding.saving_per_month.low == finding.saving_per_month.mid == 0
    # 200 x 1.15 = 230: 256 MB fit, a quarter of 1,024
    assert float(finding.saving_per_month.high) == pytest.approx(100 * 0.3 * 365 / 12 * 0.75)
    assert yaml.safe_load(finding.suggestion) == {"memorySize": 256}
    assert sized(ran(memory_used_mb_max=600.0)) == FindResult([], [])
    # one day at another size may have been a test
    (finding,) = sized(ran(512, days=1, until=14), ran()).findings
    assert finding.proposed == ""


def test_nothing_above_policy_is_proposed() -> None:
    """A recommendation that policy denies is a pull request that nobody may merge."""
    assert sized(BEFORE, ran(), limit=704).findings[0].proposed == "704"
    result = sized(BEFORE, ran(), limit=512)
    assert result.findings == []
    assert "policy allows 512 MB, and it needs 704" in result.abstained[0].reason
    result = sized(ran(memory_used_mb_max=300.0), limit=128)
    assert "policy allows 128 MB, and its invocations need 384" in result.abstained[0].reason


@pytest.mark.parametrize(
    ("frames", "more", "reason"),
    [
        ((BEFORE, ran()), {"meters": {}}, "no price really paid is known"),
        ((BEFORE, ran(days=3)), {}, "measured for 3.0 days only"),
        ((BEFORE, ran(memory_used_mb_max=np.nan)), {}, ""),
        ((ran(memory_used_mb_max=np.nan),), {}, "what memory its invocations use is not measured"),
        ((BEFORE, ran()),
         {"declared": {NAME: DeclaredFunction(Declared("memorySize", "2048", Decimal(2048)))}},
         "they are not yet the same"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(
    frames: tuple[pd.DataFrame, ...], more: dict[str, Any], reason: str
) -> None:
    """A guess about a function is a guess about customers' waiting."""
    result = sized(*frames, **more)
    if not reason:
        assert result.findings
        return
    assert result.findings == []
    assert reason in result.abstained[0].reason


def test_a_function_that_nobody_calls_or_measures_is_silent() -> None:
    """It costs nothing."""
    assert sized(ran(invocations=0.0)) == FindResult([], [])
    assert sized(ran(memory_mb=np.nan)) == FindResult([], [])
    assert sized(ran().iloc[:0]) == FindResult([], [])


def test_later_impossible_and_shuffled_rows_change_nothing() -> None:
    """A past day decided again must not know what followed."""
    later = ran(3008, days=10, until=-10, memory_used_mb_max=3000.0)
    odd = ran(days=1, until=20, duration_ms_mean=np.inf, memory_used_mb_max=-1.0)
    frame = pd.concat([BEFORE, ran()])
    mixed = pd.concat([later, odd, frame, frame.iloc[:30]]).sample(frac=1, random_state=5)
    first, second = sized(frame), sized(mixed)
    assert first.findings[0].proposed == second.findings[0].proposed
    assert first.findings[0].saving_per_month.mid == second.findings[0].saving_per_month.mid


@given(
    fixed=st.floats(1, 5000), per_mb=st.floats(0, 500_000), used=st.floats(1, 4000),
    now=st.sampled_from([256, 512, 1024, 2048, 3008]), limit=st.sampled_from([None, 512, 1024]),
)  # fmt: skip
@settings(max_examples=30, deadline=None)
def test_whatever_is_proposed_fits_is_fast_enough_and_allowed(
    fixed: float, per_mb: float, used: float, now: int, limit: float | None
) -> None:
    """One exception here is a function that fails in production."""
    curve: dict[str, Any] = {"fixed": fixed, "per_mb": per_mb, "memory_used_mb_max": used}
    declared = {NAME: DeclaredFunction(Declared("memorySize", str(now), Decimal(now)))}
    frames = ran(now // 2, days=3, until=14, **curve), ran(now, **curve)
    for one in sized(*frames, limit=limit, declared=declared).findings:
        assert used <= int(one.proposed) < now
        assert limit is None or int(one.proposed) <= limit
        figures = one.evidence.figures
        assert figures["duration_p95_ms_after"] <= figures["duration_p95_ms"] * 1.05001
        assert one.saving_per_month.low <= one.saving_per_month.mid <= one.saving_per_month.high
        assert one.saving_per_month.mid > 0


PRICES = {"serverless_provisioned": 0.1, "serverless_compute": 0.4}


def kept(
    used: np.ndarray | float,
    units: float = 10,
    environment: str = "production",
    meters: dict[str, float] | None = None,
    declared: dict[str, DeclaredFunction] | None = None,
    days: int = 14,
) -> FindResult:
    """What is found of provisioned concurrency that was used so much in each hour."""
    frame = ran(days=days).assign(provisioned_used_max=used)
    frame["provisioned_utilisation_max"] = frame["provisioned_used_max"] / units
    return provisioned_concurrency(
        ground(PRICES if meters is None else meters, environment),
        frame,
        DECLARED if declared is None else declared,
    )


def test_concurrency_that_nobody_takes_is_given_back_at_the_price_paid() -> None:
    """A unit that is kept warm for nobody is paid for every second."""
    (finding,) = kept(3.0).findings
    assert finding.kind is FindingKind.PROVISIONED_CONCURRENCY
    # 3 x 1.2 = 3.6: four of ten
    assert (finding.field, finding.current, finding.proposed) == (
        "provisionedConcurrency", "10", "4",
    )  # fmt: skip
    assert float(finding.saving_per_month.mid) == pytest.approx(100 * 0.1 * 365 / 12 * 0.6)
    assert finding.evidence.figures["provisioned_units_used_max"] == 3
    assert finding.suggestion == ""


def test_concurrency_in_use_is_left_alone() -> None:
    """It was bought so that nobody waits."""
    assert kept(9.0) == FindResult([], [])
    peaks = np.full(14 * 24, 2.0)
    peaks[::24] = 9.0
    assert kept(peaks) == FindResult([], [])


def test_what_spills_over_is_paid_for_on_demand() -> None:
    """A saving that forgets what comes instead is no saving."""
    used = np.full(14 * 24, 1.0)
    used[:2] = 10.0
    (finding,) = kept(used, environment="dev").findings
    # P95 is 1 x 1.15: two are kept; 8 of 10 units spill in 2 of 336 hours, at four times the price
    spilled = 8 / 10 * 2 / 336
    share = 0.8 - spilled * 4
    assert finding.proposed == "2"
    assert float(finding.saving_per_month.mid) == pytest.approx(100 * 0.1 * 365 / 12 * share)
    (none,) = kept(used, environment="dev", meters={"serverless_provisioned": 0.1}).abstained
    assert "not billed" in none.reason


def test_a_unit_that_pays_for_itself_is_kept() -> None:
    """Where use on demand is dear, even one that is seldom in use is worth its price."""
    used = np.full(14 * 24, 1.0)
    used[: 14 * 24 // 25] = 6.0
    dear = {"serverless_provisioned": 0.1, "serverless_compute": 4.0}
    # in use for 4 % of the time: P95 leaves two, the newsvendor at 1 - 1 / 40 = .975 keeps six
    assert kept(used, environment="dev", meters=dear).findings[0].proposed == "6"


def test_a_schedule_is_told_where_it_saves_much_more() -> None:
    """Ten units at noon and none at night are not four all day."""
    used = pd.Series(1.0, index=hours(14))
    at = pd.DatetimeIndex(used.index)
    used[(at.hour >= 9) & (at.hour < 17) & (at.dayofweek < 5)] = 7.0
    (finding,) = kept(used.to_numpy()).findings
    assert finding.proposed == "9"
    told = yaml.safe_load(finding.suggestion)["provisionedConcurrency"]
    assert (told["busy"], told["otherwise"]) == (9, 2)
    assert told["busy_hours_utc"] == {
        day: [9, 17] for day in ("monday", "tuesday", "wednesday", "thursday", "friday")
    }
    # 9 units in 40 of 168 hours, 2 in the rest, of 10
    share = 1 - (9 * 40 + 2 * 128) / 168 / 10
    assert finding.evidence.figures["saving_share_of_a_schedule"] == pytest.approx(share, rel=1e-5)


def test_what_is_not_known_of_concurrency_is_said() -> None:
    """A count that is scaled by a schedule is no one number to lower."""
    assert "is not measured" in kept(np.nan).abstained[0].reason
    assert kept(np.nan, meters={}) == FindResult([], [])
    assert kept(3.0, meters={"serverless_compute": 1.0}) == FindResult([], [])
    assert "days only" in kept(3.0, days=3).abstained[0].reason
    other = {NAME: DeclaredFunction(None, Declared("provisionedConcurrency", "20", Decimal(20)))}
    assert "is not known" in kept(3.0, declared=other).abstained[0].reason
    units = np.where(np.arange(14 * 24) % 24 < 12, 10.0, 4.0)
    assert "changes by a schedule" in kept(3.0, units=units, declared={}).abstained[0].reason  # type: ignore[arg-type]


def test_never_used_units_are_known_by_their_declaration_alone() -> None:
    """Nothing over nothing is no count."""
    (finding,) = kept(0.0).findings
    assert finding.proposed == "1"
    assert "is not known" in kept(0.0, declared={}).abstained[0].reason


def test_functions_are_known_by_one_name_or_not_at_all() -> None:
    """Two accounts have a function of the same name: one's memory is not the other's."""
    arn = "arn:aws:lambda:eu-west-1:1:function:a"
    bill = pd.DataFrame(
        [("function/1/a", arn, None), ("function/1/a", f"{arn}:live", None),
         ("function/1/b", "b-id", "b"), ("function/2/b", "b-id2", "b")],
        columns=["resource", "resource_id", "resource_name"],
    )  # fmt: skip
    rows = pd.concat([ran().assign(name=name) for name in ("a", "b", "c")])
    joined, abstained = join_billed(rows, bill)
    assert set(joined["resource"]) == {"function/1/a"}
    assert [one.subject for one in abstained] == ["function b"]
    twice = pd.concat([ran(), ran(cluster="other")])
    joined, abstained = join_billed(twice, bill)
    assert joined.empty
    assert "2 measured ones" in abstained[0].reason
    assert function_name(arn + ":7", None) == "a"
    assert function_name("some-id", "named") == "named"


def located(resource: str, field: str, value: str, editable: bool = True) -> ValueLocation:
    """A declared value."""
    return ValueLocation(
        resource=resource, field=field, value=value, file="a", document=0, start_byte=0,
        end_byte=1, editable=editable, reason="",
    )  # fmt: skip


def test_only_values_that_may_be_edited_are_declared() -> None:
    """Memory that several functions share is not one function's to lower."""
    found = declared_functions(
        [
            located("F/a/x", "memorySize", "512"),
            located("F/a/y", "Properties.MemorySize", "512", editable=False),
            located("F/a/z", "memory_size", "lots"),
            located("F/a/z", "timeout", "10"),
            located("F/a/w", "provisionedConcurrency", "5"),
        ]
    )
    assert set(found) == {"F/a/x", "F/a/z", "F/a/w"}
    assert found["F/a/z"].memory == Declared("memory_size", "lots", None)
    assert found["F/a/w"] == DeclaredFunction(
        None, Declared("provisionedConcurrency", "5", Decimal(5))
    )
