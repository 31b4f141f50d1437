"""Drift: what moved is found, what stayed is left alone, and the report is safe to open."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.drift.evidently import safe_names
from finops_dagster.responsible_ai.drift.family import Counts, Hypothesis, judged_together
from finops_dagster.responsible_ai.drift.judging import judge_drift
from finops_dagster.responsible_ai.drift.shift import (
    Blocks,
    bins_of_numbers,
    daily_level,
    day_blocks,
    index_of,
    row_blocks,
)
from finops_dagster.responsible_ai.results import DriftOptions, DriftResult


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "1")


def frames(
    seed: int, *, shift: float = 0.0, day_effect: float = 0.0, per_day: int = 60
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    days = np.repeat(np.arange(35), per_day)
    common = rng.normal(size=35)[days] * day_effect
    frame = pd.DataFrame(
        {
            "day": days,
            "steady": rng.normal(size=len(days)) + common,
            "heavy": rng.pareto(1.2, size=len(days)),
            "kind": rng.choice(["x", "y", "z"], size=len(days)),
            "flag": rng.integers(0, 2, size=len(days)).astype(float),
        }
    )
    frame.loc[frame["day"] >= 28, "steady"] += shift
    return frame[frame["day"] < 28], frame[frame["day"] >= 28]


def judge(seed: int, block: str | None = "day", **world: float) -> DriftResult:
    reference, current = frames(seed, **world)  # type: ignore[arg-type]
    if block is None:
        reference, current = reference.drop(columns="day"), current.drop(columns="day")
    options = DriftOptions(permutations=1999)
    found = judge_drift("m", reference, current, block=block, seed=seed, options=options)
    assert isinstance(found, DriftResult)
    return found


def test_a_moved_column_is_found_by_name_and_no_other() -> None:
    """A model fed with other inputs than it learned from must not pass."""
    found = judge(1, shift=0.8)
    assert [f.feature for f in found.drifted] == ["steady"]
    assert found.result == "fail"
    assert any("steady" in reason for reason in found.reasons)


def test_a_small_move_warns_and_a_large_one_fails() -> None:
    """If every ripple stops the line, people turn the gate off."""
    assert judge(2, shift=0.4).result == "warn"
    assert judge(2, shift=1.5).result == "fail"


def test_stable_columns_raise_no_alarm_over_many_worlds() -> None:
    """A gate that cries wolf: at most 1 of 60 stable worlds, where days differ by themselves."""
    alarms = sum(judge(seed, day_effect=0.25).result != "pass" for seed in range(60))
    assert alarms <= 1


def test_days_that_differ_by_themselves_pass_for_drift_unless_permuted_whole() -> None:
    """Rows of one day are not independent; to take them so makes false alarms."""

    def sure(block: str | None) -> int:
        worlds = (judge(seed, block=block, day_effect=0.9) for seed in range(20))
        return sum(
            f.p_value <= 0.05 for found in worlds for f in found.features if f.feature == "steady"
        )

    assert sure(None) >= 12
    assert sure("day") <= 4


def test_missing_values_that_appear_are_drift() -> None:
    """A feed that goes empty is the commonest break of all, and moves no value."""
    reference, current = frames(3)
    current = current.copy()
    current.loc[current.index[::3], "heavy"] = np.nan
    found = judge_drift("m", reference, current, block="day", seed=1)
    assert isinstance(found, DriftResult)
    assert [f.feature for f in found.drifted] == ["heavy (missing)"]


def test_new_categories_are_drift_and_many_are_bounded() -> None:
    """A renamed category must be seen; ten thousand of them must not stop the run."""
    rng = np.random.default_rng(0)
    reference = pd.DataFrame({"k": rng.integers(0, 10_000, 4000).astype(str)})
    same = pd.DataFrame({"k": rng.integers(0, 10_000, 2000).astype(str)})
    stable = judge_drift("m", reference, same, seed=1)
    assert isinstance(stable, DriftResult)
    assert stable.result == "pass"
    renamed = judge_drift("m", *frames(1)[:1], frames(1)[1].replace({"kind": {"x": "X"}}), seed=1)
    assert isinstance(renamed, DriftResult)
    assert "kind" in {f.feature for f in renamed.drifted}


def test_infinite_constant_and_empty_columns_are_no_crash() -> None:
    """One bad column must not hide the others."""
    reference, current = (frame.copy() for frame in frames(4))
    reference["inf"] = current["inf"] = np.inf
    reference["one"], current["one"] = 1.0, 1.0
    reference["none"], current["none"] = None, None
    reference["mixed"], current["mixed"] = 1.0, "a"
    found = judge_drift("m", reference, current, block="day", seed=1)
    assert isinstance(found, DriftResult)
    assert {a.subject for a in found.abstained} == {"m: inf", "m: none"}
    assert next(f for f in found.features if f.feature == "one").score == 0.0
    assert [f.feature for f in found.drifted] == ["mixed"]


def test_too_few_rows_is_said() -> None:
    """A verdict from a handful of rows is a coin toss."""
    reference, current = frames(1)
    found = judge_drift("m", reference, current.head(20), seed=1)
    assert isinstance(found, Abstained)
    assert "20" in found.reason


def test_the_same_input_gives_the_same_answer() -> None:
    """A judgement that changes when run again cannot be audited."""
    assert judge(5, shift=0.5) == judge(5, shift=0.5)


def test_the_report_is_evidentlys_and_agrees(tmp_path: Path) -> None:
    """A report that shows other verdicts than the gate's sends people the wrong way."""
    reference, current = frames(6, shift=0.8)
    path = tmp_path / "r" / "drift.html"
    found = judge_drift("m", reference, current, block="day", seed=1, html=path)
    assert isinstance(found, DriftResult)
    text = path.read_text(encoding="utf-8")
    assert len(text) > 1_000_000
    assert "1 out of 4" in text or '"1"' in text
    steady = next(f for f in found.features if f.feature == "steady")
    assert f"Drift score is {steady.score:.2f}" in text
    assert not re.search(r'(?:src|href)="https?://(?!plotly\.com/")', text)


def test_a_hostile_name_cannot_leave_its_place(tmp_path: Path) -> None:
    """A feature name from a log must not run in the browser of whoever opens the report."""
    hostile = "</script><script>alert('x')</script>"
    reference, current = (f.rename(columns={"steady": hostile}) for f in frames(7))
    for frame in (reference, current):
        frame["kind"] = frame["kind"].replace({"x": hostile})
    path = tmp_path / "drift.html"
    judge_drift("m", reference, current, block="day", seed=1, html=path)
    assert "alert('x')" not in path.read_text(encoding="utf-8")
    assert len(set(safe_names(["a<b", "a>b", "a?b"]).values())) == 3


def test_the_index_against_its_textbook_form() -> None:
    """A wrong index would make every threshold a guess."""
    reference = np.repeat([0.0, 1.0], [500, 500])
    current = np.repeat([0.0, 1.0], [300, 700])
    p, q = np.array([0.5, 0.5]), np.array([0.3, 0.7])
    textbook = float(np.sum((q - p) * np.log(q / p)))
    assert index_of(reference, current) == pytest.approx(textbook, rel=0.01)
    assert index_of(reference, reference) == 0.0


def calm(seed: int, columns: int) -> tuple[list[Hypothesis], Blocks]:
    """Columns of 12 + 5 days in which nothing moved, all pulled by what a day has in common."""
    rng = np.random.default_rng(seed)
    blocks = Blocks(np.empty(0, dtype=np.int64), 12, 5, days=True)
    common = rng.normal(size=(17, 1, 4))
    counts = rng.poisson(60 * np.exp(0.3 * (common + rng.normal(size=(17, columns, 4)))))
    return [
        Hypothesis("data", "all", str(one), "", Counts(counts[:, one].astype(float)), 0, 9, (0, 0))
        for one in range(columns)
    ], blocks


def test_the_chance_of_any_alarm_among_many_columns_is_the_level() -> None:
    """Twelve columns at 5 % each would be alarmed in every second world: here in 5 % of 200, and no
    more than three standard errors above."""
    options = DriftOptions(permutations=399)
    alarms = 0
    for seed in range(200):
        found = judged_together(*calm(seed, 12), level=0.05, options=options, seed=1)
        alarms += any(one.p_adjusted <= 0.05 for one in found)
    assert 2 <= alarms <= 200 * 0.05 + 3 * np.sqrt(200 * 0.05 * 0.95)


def test_adjusted_p_values_are_no_smaller_and_in_the_same_order() -> None:
    """Looking at more columns can make none of them surer."""
    options = DriftOptions(permutations=999)
    found = judged_together(*calm(1, 30), level=0.05, options=options, seed=1)
    assert all(one.p_adjusted >= one.p_value for one in found)
    assert max(one.p_adjusted for one in found) <= 1.0


def test_the_level_of_a_day_is_the_rate_over_the_days_of_a_year() -> None:
    """Half an alarm a year is a chance of 0.00137 a day."""
    assert daily_level(0.5) == pytest.approx(0.5 / 365.25)
    assert daily_level(1000) == 1.0


def test_days_that_can_be_parted_in_few_ways_tell_nothing() -> None:
    """28 + 1 days have 29 ways: the oddest of them comes once a month."""
    empty = np.empty(0, dtype=np.int64)
    assert Blocks(empty, 28, 7, days=True).tells(0.0007)
    assert not Blocks(empty, 28, 1, days=True).tells(0.0014)
    assert not Blocks(empty, 0, 7, days=True).tells(0.5)


def test_every_window_is_held_against_the_rest_of_the_reference() -> None:
    """Days judged must not be part of what they are compared with, nor days to come."""
    inside, rest = Blocks(np.empty(0, dtype=np.int64), 6, 2, days=True).windows()
    assert len(inside) == 7
    assert inside[0].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]
    assert rest[0].tolist() == [0, 0, 1, 1, 1, 1, 0, 0]
    assert inside[-1].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert rest[-1].tolist() == [1, 1, 1, 1, 1, 1, 0, 0]


def test_a_day_on_both_sides_is_two_blocks() -> None:
    """A day cut in the middle is still on two sides."""
    blocks = day_blocks([1, 1, 2], [2, 3])
    assert blocks.codes.tolist() == [0, 0, 1, 2, 3]
    assert (blocks.reference, blocks.current) == (2, 2)
    dealt = row_blocks(1000, 200, seed=1)
    assert dealt.codes[:1000].max() < dealt.reference <= dealt.codes[1000:].min()


@given(st.lists(st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, 2.0]), min_size=1, max_size=300))
@settings(max_examples=60, deadline=None)
def test_bins_keep_order_and_equal_values_together(values: list[float]) -> None:
    """A value in two bins would move by being counted, and a bin beyond the last would crash."""
    numbers = np.array(values)
    codes, count = bins_of_numbers(numbers)
    assert codes.min() >= 0
    assert codes.max() < count <= 21
    order = np.argsort(numbers, kind="stable")
    assert (np.diff(codes[order]) >= 0).all()
    assert all(len(set(codes[numbers == one])) == 1 for one in values)


def test_a_name_that_stands_for_two_columns_is_told_of() -> None:
    """A log that repeats a column must not stop the judgement of the others."""
    reference, current = (frame.copy() for frame in frames(8))
    reference.insert(0, "heavy", 0.0, allow_duplicates=True)
    found = judge_drift("m", reference, current, block="day", seed=1)
    assert isinstance(found, DriftResult)
    assert [a.reason for a in found.abstained] == ["the name stands for several columns"]
    assert "heavy" not in {f.feature for f in found.features}


def test_options_move_the_verdict() -> None:
    """A limit that changes nothing is decoration."""
    reference, current = frames(2, shift=0.4)
    lax = DriftOptions(psi_warn=2.0, psi_fail=3.0)
    found = judge_drift("m", reference, current, block="day", seed=2, options=lax)
    assert isinstance(found, DriftResult)
    assert found.result == "pass"
