"""Fine series watched day by day: what is told of a day, and what is kept for the next."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.engines.anomalies.fine import FOUND, POINTS, FineResult, Watches

FIRST = date(2026, 3, 1)
DAYS = 40
HOURS = 24
CPU = ("Deployment/shop/web", "main", "server", "cpu_cores")
MEMORY = (*CPU[:3], "memory_working_set_bytes")


def demand(days: int = DAYS, seed: int = 1) -> np.ndarray:
    """Cores by the hour: days, weekends and noise; 10 or so."""
    at = np.arange(days * HOURS)
    noise = np.random.default_rng(seed).normal(0, 0.3, len(at))
    return np.asarray(10 + 3 * np.sin(2 * np.pi * at / 24) - (at % 168 >= 120) + noise)


def points(
    values: Sequence[float] | np.ndarray,
    day: date,
    key: tuple[str, ...] = CPU,
    step_seconds: int = 3600,
) -> pd.DataFrame:
    """Points of one day; those that are NaN are not there."""
    start = pd.Timestamp(day, tz="UTC")
    times = pd.date_range(start, periods=len(values), freq=f"{step_seconds}s")
    made = pd.DataFrame(
        {
            **dict(zip(POINTS, key, strict=False)),
            "time": times,
            "step_seconds": step_seconds,
            "value": np.asarray(values, dtype=float),
        }
    )
    return made[made["value"].notna()]


def days_of(series: dict[tuple[str, ...], np.ndarray]) -> list[pd.DataFrame]:
    """A frame a day, of all series."""
    count = max(len(one) for one in series.values()) // HOURS
    return [
        pd.concat(
            [
                points(one[HOURS * d : HOURS * (d + 1)], FIRST + timedelta(days=d), key)
                for key, one in series.items()
            ],
            ignore_index=True,
        )
        for d in range(count)
    ]


def watched(frames: list[pd.DataFrame], watches: Watches | None = None) -> list[FineResult]:
    watches = watches if watches is not None else Watches()
    return [watches.day(one, FIRST + timedelta(days=d)) for d, one in enumerate(frames)]


def through_a_file(watches: Watches) -> Watches:
    """As a day's run leaves them for the next one."""
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pandas(watches.frame(), preserve_index=False), file)
    return Watches.restored(pq.read_table(file).to_pandas())


def same(one: FineResult, other: FineResult) -> None:
    pd.testing.assert_frame_equal(one.found, other.found, check_exact=True)
    assert one.abstained == other.abstained
    assert (one.series, one.points) == (other.series, other.points)


def eventful() -> dict[tuple[str, ...], np.ndarray]:
    """Spikes over midnight, a level that shifts, a gap, an end, a begin, a nightly job."""
    cpu, memory = demand(), demand(seed=2) * 2**30
    cpu[20 * HOURS + 22 : 21 * HOURS + 3] += 40
    cpu[25 * HOURS : 25 * HOURS + 6] = np.nan
    memory[30 * HOURS :] *= 3
    ends = demand(seed=3)
    ends[22 * HOURS :] = np.nan
    begins = demand(seed=4)
    begins[: 5 * HOURS] = np.nan
    nightly = np.full(DAYS * HOURS, np.nan)
    nightly[2::HOURS] = 5.0
    return {
        CPU: cpu,
        MEMORY: memory,
        ("Deployment/shop/old", *CPU[1:]): ends,
        ("Deployment/shop/new", *CPU[1:]): begins,
        ("CronJob/shop/nightly", "main", "job", "cpu_cores"): nightly,
    }


@pytest.fixture(scope="module")
def whole() -> list[FineResult]:
    return watched(days_of(eventful()))


def test_days_through_saved_states_are_the_days_at_once(whole: list[FineResult]) -> None:
    """Harm: who is restarted every night would tell another story than who is not."""
    frames = days_of(eventful())
    watches = Watches()
    for d, one in enumerate(frames):
        same(whole[d], watches.day(one, FIRST + timedelta(days=d)))
        watches = through_a_file(watches)
    assert sum(len(one.found) for one in whole) > 3


def test_a_state_read_back_is_the_state() -> None:
    watches = Watches()
    watched(days_of(eventful())[:21], watches)
    pd.testing.assert_frame_equal(
        through_a_file(watches).frame(), watches.frame(), check_exact=True
    )


@pytest.mark.parametrize("cut", [20, 27])
def test_no_later_day_changes_what_was_said(whole: list[FineResult], cut: int) -> None:
    series = eventful()
    changed = {key: one.copy() for key, one in series.items()}
    for one in changed.values():
        one[cut * HOURS :] = 1e6
    for one, other in zip(whole[:cut], watched(days_of(changed)[: cut + 1])[:cut], strict=True):
        same(one, other)


def rows_of(said: list[FineResult], class_: str, key: tuple[str, ...]) -> list[list[Any]]:
    """Rows of a class and a series by day."""
    return [
        one.found[(one.found["class"] == class_) & (one.found["metric"] == key[3])
                  & (one.found["resource"] == key[0])].to_dict("records")
        for one in said
    ]  # fmt: skip


def test_a_run_is_told_on_each_of_its_days_since_it_began(whole: list[FineResult]) -> None:
    """Harm: a page a day for one outage, or an outage that looks new each morning."""
    rows = rows_of(whole, "far", CPU)
    assert [d for d, some in enumerate(rows) if some] == [20, 21]
    ((first,), (second,)) = rows[20], rows[21]
    since = datetime(2026, 3, 21, 22, tzinfo=UTC)
    assert first["from"] == second["from"] == since
    assert (first["to"], second["to"]) == (
        datetime(2026, 3, 22, tzinfo=UTC), datetime(2026, 3, 22, 3, tzinfo=UTC),
    )  # fmt: skip
    assert (first["began"], second["began"]) == (True, False)
    assert (first["points"], second["points"]) == (2, 5)
    assert first["why"] == "high"
    assert first["value"] == eventful()[CPU][20 * HOURS + 22 : 21 * HOURS].max()
    assert first["expected"] == pytest.approx(10, abs=0.5)


def test_what_begins_to_be_new_is_told_once_and_apart(whole: list[FineResult]) -> None:
    (novel,) = rows_of(whole, "novel", CPU)[20]
    assert novel["why"] == "value"
    assert novel["from"] == datetime(2026, 3, 21, 22, tzinfo=UTC)
    assert novel["to"] - novel["from"] == timedelta(hours=1)
    assert list(whole[20].found["class"]) == sorted(whole[20].found["class"])  # far ones first
    assert tuple(whole[20].found.columns) == tuple(FOUND)
    assert rows_of(whole, "novel", CPU)[21] == []


def test_what_nobody_would_mind_is_told_in_neither_class() -> None:
    """Harm: an idle GPU pages whenever its health check takes 0.4 percent instead of 0.1."""
    idle = np.full(DAYS * HOURS, 0.1)
    idle[:: 7 * HOURS + 5] = 0.4
    idle[30 * HOURS + 3] = 2.0
    gpu = (*CPU[:3], "gpu_utilisation_percent")
    busy = demand()
    busy[30 * HOURS + 3] = 60.0
    said = watched(days_of({gpu: idle, (*gpu[:2], "busy", gpu[3]): busy}))
    told = {name for one in said[14:] for name in one.found["container"]}
    assert told == {"busy"}


def reasons(result: FineResult) -> dict[str, str]:
    return {one.subject: one.reason for one in result.abstained}


def test_who_is_not_judged_is_named_with_the_reason(whole: list[FineResult]) -> None:
    """Harm: silence reads as health."""
    said = whole
    name = "cpu_cores of {} (server, main)".format
    begun, ended = name("Deployment/shop/new"), name("Deployment/shop/old")
    learning = "watched for less than 14 days: nothing is said yet"
    assert reasons(said[5])[begun] == learning
    assert reasons(said[18])[begun] == learning
    assert begun not in reasons(said[19])
    assert begun not in reasons(said[4])  # nobody knew of it
    assert [reasons(said[d]).get(ended) for d in (21, 22, 27, 28, 29)] == [
        None, "no point of it on this day", "no point of it on this day",
        "no point of it for 7 days or more: it is watched no more", None,
    ]  # fmt: skip
    assert reasons(said[30])["cpu_cores of CronJob/shop/nightly (job, main)"] == (
        "measured in fewer than half of its steps: what is usual is not known"
    )


def test_a_series_that_comes_back_after_a_week_learns_anew() -> None:
    values = demand()
    values[20 * HOURS : 30 * HOURS] = np.nan
    said = watched(days_of({CPU: values}))
    assert "less than 14 days" in "".join(reasons(said[31]).values())


def test_another_step_is_another_series() -> None:
    """Harm: hours taken for five minutes would be a week of nothing, or a day of news."""
    watches = Watches()
    frames = days_of({CPU: demand(20)})
    watched(frames, watches)
    told = watches.day(points(np.full(8, 10.0), FIRST + timedelta(days=20), CPU, 10800),
                       FIRST + timedelta(days=20))  # fmt: skip
    assert list(reasons(told).values()) == [
        "it is measured every 10800 s and was every 3600 s before: it is watched anew"
    ]
    assert told.found.empty


@pytest.mark.parametrize("other", [date(2026, 3, 9), date(2026, 3, 11)])
def test_points_of_another_day_are_refused(other: date) -> None:
    """Harm: a state that went back in time would judge a day by what came after it."""
    watches = Watches()
    with pytest.raises(ValueError, match="not of 2026-03-10"):
        watches.day(points([1.0], other), date(2026, 3, 10))


def test_a_day_that_was_taken_in_is_not_taken_in_again() -> None:
    watches = Watches()
    frame = points([1.0] * HOURS, FIRST)
    watches.day(frame, FIRST)
    with pytest.raises(ValueError, match="is not after"):
        watches.day(frame, FIRST)


def test_the_order_of_points_says_nothing(whole: list[FineResult]) -> None:
    frames = days_of(eventful())
    mixed = [one.sample(frac=1, random_state=d) for d, one in enumerate(frames)]
    for one, other in zip(whole, watched(mixed), strict=True):
        same(one, other)


@pytest.mark.parametrize(
    "values",
    [np.zeros(720), np.full(720, -3.0), np.full(720, np.inf), np.full(720, 1e12),
     np.tile([1e-7, 1e12], 360), np.array([5.0])],
    ids=["zeros", "negative", "inf", "huge", "huge and tiny", "one point"],
)  # fmt: skip
def test_odd_series_are_watched_and_no_news(values: np.ndarray) -> None:
    frames = [points(values[d : d + HOURS], FIRST + timedelta(days=d // HOURS))
              for d in range(0, len(values), HOURS)]  # fmt: skip
    watches = Watches()
    for d, one in enumerate(frames):
        assert watches.day(one, FIRST + timedelta(days=d)).found.empty
        watches = through_a_file(watches)


def test_a_state_stays_small() -> None:
    """Harm: 12,000 figures of which three are read, of 2,000 series every day."""
    watches = Watches()
    watched(days_of({CPU: demand(61)}), watches)
    (row,) = watches.frame().to_dict("records")
    held = sum(np.asarray(one).nbytes for one in row.values() if isinstance(one, np.ndarray))
    assert held < 61 * HOURS * 15  # a double, two and four bytes a point
    assert len(row["surprises"]) == 3


def test_history_is_what_was_measured() -> None:
    watches = Watches()
    values = demand(3)
    values[30] = np.nan
    watched(days_of({CPU: values}), watches)
    times, told = watches.history("cpu_cores of Deployment/shop/web (server, main)")
    assert (times[0], times[-1]) == (
        datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 3, 23, tzinfo=UTC),
    )  # fmt: skip
    np.testing.assert_array_equal(told, values)


def test_an_empty_day_is_a_day() -> None:
    watches = Watches()
    none: Any = points([], FIRST)
    assert watches.day(none, FIRST).found.empty
    assert len(through_a_file(watches)) == 0
