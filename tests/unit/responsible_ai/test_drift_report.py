"""Drift of a model by kind and segment: each is found under its own name, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Breach, Check, RiskClass
from finops_dagster.responsible_ai.drift.breaches import breaches_of, urgency
from finops_dagster.responsible_ai.drift.picture import pictures_of
from finops_dagster.responsible_ai.drift.reference import reference_choice
from finops_dagster.responsible_ai.drift.report import judge_model_drift
from finops_dagster.responsible_ai.drift.results import DriftReport, Stake
from finops_dagster.responsible_ai.html import write_page
from finops_dagster.responsible_ai.results import DriftOptions, DriftResult, Interval, Task
from finops_dagster.responsible_ai.windows import ModelWindow

FIRST = date(2026, 3, 2)
DAYS, JUDGED = 35, 7
FEW = DriftOptions(permutations=4999)
NO_LABEL = Abstained(subject="m", reason="no label has arrived")


def world(
    seed: int,
    *,
    per_day: int = 120,
    moved: float = 0.0,
    west_moved: float = 0.0,
    logit: float = 0.0,
    west_logit: float = 0.0,
    spread: float = 1.0,
    task: Task = "classification",
) -> tuple[ModelWindow, ModelWindow]:
    """Two inputs, a region of which `west` is a sixth, and labels; the last week as asked."""
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(DAYS), per_day)
    size, late = len(day), day >= DAYS - JUDGED
    region = rng.choice(["north", "east", "west"], size=size, p=[0.5, 0.33, 0.17])
    west = region == "west"
    a = rng.normal(size=size) + 0.1 * rng.normal(size=DAYS)[day] + late * moved
    a = a + (late & west) * west_moved
    b = rng.exponential(size=size)
    said, truth = a, a + late * logit + (late & west) * west_logit
    if task == "classification":
        answer = 1 / (1 + np.exp(-said))
        label = (rng.random(size) < 1 / (1 + np.exp(-truth))).astype(float)
        outcomes = {"prediction": (answer > 0.5) * 1.0, "probability": answer, "label": label}
    else:
        noise = rng.normal(size=size) * np.where(late, spread, 1.0)
        outcomes = {"prediction": said, "probability": np.nan, "label": truth + noise}
    return cut(
        day,
        pd.DataFrame({"a": a, "b": b}),
        pd.DataFrame({"region": region.astype(object)}),
        pd.DataFrame(outcomes),
    )


def cut(
    day: Any, features: pd.DataFrame, groups: pd.DataFrame, outcomes: pd.DataFrame
) -> tuple[ModelWindow, ModelWindow]:
    outcomes.insert(0, "day", [FIRST + timedelta(int(one)) for one in day])
    made = []
    for first, last in ((0, DAYS - JUDGED), (DAYS - JUDGED, DAYS)):
        rows = (day >= first) & (day < last)
        made.append(
            ModelWindow(
                "m",
                FIRST + timedelta(first),
                FIRST + timedelta(last - 1),
                *(f[rows].reset_index(drop=True) for f in (features, groups, outcomes)),
            )
        )
    return made[0], made[1]


def judge(
    windows: tuple[ModelWindow, ModelWindow],
    *,
    labels: bool = True,
    task: Task = "classification",
    segments: tuple[str, ...] = ("region",),
    options: DriftOptions = FEW,
) -> DriftReport:
    found = judge_model_drift(
        *windows,
        windows if labels else NO_LABEL,
        task=task,
        chosen=reference_choice(windows[0], asked_days=28),
        segments=segments,
        seed=1,
        options=options,
    )
    assert isinstance(found, DriftReport)
    return found


def named(report: DriftReport) -> set[tuple[str, str, str]]:
    return {(one.kind, one.segment, one.feature) for one in report.drifted}


def test_nothing_moved_nothing_is_said() -> None:
    """An alarm in a calm world teaches people to look away: none in twelve."""
    assert [judge(world(seed)).result for seed in range(12)] == ["pass"] * 12


def test_a_move_of_inputs_alone_is_no_concept_drift() -> None:
    """Else every change of customers would look as if the truth had changed."""
    for seed in range(6):
        report = judge(world(seed, moved=1.0))
        kinds = {kind for kind, _, _ in named(report)}
        assert {"data", "prediction", "label"} == kinds
        assert isinstance(report.concept, DriftResult)
        assert report.concept.result == "pass"


def test_what_is_true_moves_while_inputs_stay() -> None:
    """The worst drift is the one that no input shows."""
    report = judge(world(1, logit=1.2))
    assert isinstance(report.data, DriftResult)
    assert report.data.result == "pass"
    assert isinstance(report.concept, DriftResult)
    assert report.concept.result == "fail"
    assert report.reasons[-1].startswith("label at the same inputs moved far: move of the rate 0.2")
    assert ("concept", "all", "label at the same inputs") in named(report)


def test_a_regressors_label_may_move_in_level_or_in_spread() -> None:
    """Errors twice as wide with the same mean are a change of what is true, too."""
    level = judge(world(1, task="regression", logit=0.8), task="regression")
    assert ("concept", "all", "label at the same inputs") in named(level)
    wide = judge(world(1, task="regression", spread=2.0), task="regression")
    assert ("concept", "all", "spread of the label at the same inputs") in named(wide)


def test_one_small_segment_is_found_though_the_whole_looks_unchanged() -> None:
    """A sixth of the people must not be outvoted by the rest."""
    report = judge(world(2, west_moved=1.0))
    assert isinstance(report.data, DriftResult)
    assert report.data.result == "pass"
    assert ("data", "region=west", "a") in named(report)
    assert report.segments[0].segment == "region=west"
    assert not any(part.drifted for part in report.segments[1:])
    told = breaches_of(report)
    assert {(one.check, one.segment) for one in told} == {
        (Check.DATA_DRIFT, "region=west"),
        (Check.PREDICTION_DRIFT, "region=west"),
    }


def test_concept_drift_of_one_segment_is_found_there() -> None:
    """What is true for one region may turn while all others stay."""
    report = judge(world(3, per_day=200, west_logit=2.5))
    assert ("concept", "region=west", "label at the same inputs") in named(report)
    assert not {("concept", f"region={one}") for one in ("north", "east")} & {
        (kind, segment) for kind, segment, _ in named(report)
    }


def test_without_labels_concept_abstains_with_the_reason() -> None:
    """What cannot be known without the truth must not be guessed, nor pass in silence."""
    report = judge(world(1, moved=1.0), labels=False)
    assert report.concept == report.label == NO_LABEL
    assert report.result == "fail"
    assert report.rule.families == 1
    assert report.extra_error is None


def test_the_reference_is_recorded_as_a_choice() -> None:
    """Two people who compare with other days see other drift: it has to be said."""
    reference, _ = world(1)
    rolling = reference_choice(reference, asked_days=28)
    assert (rolling.rule, rolling.first, rolling.days) == ("rolling", FIRST, 28)
    fixed = reference_choice(reference, asked_days=28, fixed="what version 2 was validated on")
    assert (fixed.rule, fixed.reason) == ("fixed", "what version 2 was validated on")
    late = reference.outcomes["day"] >= FIRST + timedelta(10)
    short = reference_choice(replace(reference, outcomes=reference.outcomes[late]), asked_days=28)
    assert short.rule == "short"
    assert short.reason == "the log begins on 2026-03-12: 18 of the 28 days before"


def test_no_segment_of_too_few_people_is_named_nor_can_be_subtracted() -> None:
    """Twelve people in a table are twelve people that somebody knows."""
    reference, current = world(4)
    current.groups.loc[current.groups.index[:12], "region"] = "Vatican"
    reference.groups.loc[reference.groups.index[:12], "region"] = "Vatican"
    report = judge((reference, current))
    assert "Vatican" not in repr(report)
    assert report.shielded == ("region: 1 segment of fewer than 20 people in one of the windows",)
    assert {part.current_rows % 20 for part in report.segments} == {0}
    assert {f.current_rows % 20 for part in report.segments for f in part.features} == {0}


def test_segments_with_few_answers_abstain_by_number() -> None:
    """A verdict on thirty answers is a coin toss, and ten thousand refusals are no page."""
    reference, current = world(4)
    for window in (reference, current):
        window.groups.loc[window.groups.index[:30], "region"] = "south"
    report = judge((reference, current))
    reason = "1 of its groups have fewer than 50 answers in one of the windows"
    assert Abstained(subject="segment region", reason=reason) in report.abstained
    unknown = judge((reference, current), segments=("planet",))
    assert unknown.abstained[-1].subject == "segment planet"


def test_what_is_at_stake_is_extra_error_times_answers_times_cost() -> None:
    """A range in money, from the error's own interval, and negative where errors fell."""
    report = judge(world(1, logit=1.2))
    stake = Stake(Decimal(2), "EUR", RiskClass.HIGH)
    extra = report.extra_error
    assert extra is not None and extra.low is not None and extra.low > 0.03
    (worst, *_) = breaches_of(report, stake=stake, version="7")
    assert worst.version == "7"
    assert worst.since == FIRST + timedelta(28)
    assert worst.at_stake is not None
    # 120 answers a day, 730 / 24 days a month
    assert float(worst.at_stake.mid) == pytest.approx(2 * 120 * 730 / 24 * extra.value)
    assert worst.at_stake.low < worst.at_stake.mid < worst.at_stake.high
    assert all(one.at_stake is None for one in breaches_of(report))


def test_late_labels_say_nothing_of_today_but_an_estimate_does() -> None:
    """Errors of last month times answers of this one would be a made-up sum."""
    report = replace(judge(world(1, moved=1.0)), labelled_last=FIRST)
    stake = Stake(Decimal(2), "EUR")
    assert all(one.at_stake is None for one in breaches_of(report, stake=stake))
    estimated = breaches_of(report, stake=stake, estimated=Interval(0.01, -0.01, 0.03))
    whole = next(one for one in estimated if one.segment == "all")
    assert whole.at_stake is not None
    assert whole.at_stake.low == Decimal(-73)
    assert whole.at_stake.mid == Decimal(73)


def test_breaches_are_ordered_by_harm_then_money_then_size() -> None:
    """The worst must not be the last line of the list."""

    def breach(grade: Any, size: float) -> Breach:
        figures = {"excess_over_limit": size}
        return Breach(check=Check.DATA_DRIFT, grade=grade, reason="", figures=figures)

    ranked = [
        (breach("fail", 1), RiskClass.HIGH),
        (breach("fail", 9), RiskClass.UNKNOWN),
        (breach("fail", 2), RiskClass.MINIMAL),
        (breach("fail", 1), RiskClass.MINIMAL),
        (breach("warn", 9), RiskClass.HIGH),
    ]
    shuffled = [ranked[place] for place in (3, 0, 4, 2, 1)]
    assert sorted(shuffled, key=lambda one: urgency(*one)) == ranked


def test_most_inputs_moved_somewhat_is_a_failure() -> None:
    """A model that is asked about another world, each input a little, must be stopped."""
    report = judge(world(5, moved=0.38), segments=())
    assert isinstance(report.data, DriftResult)
    assert [f.severity for f in report.data.drifted] == ["minor"]
    assert report.data.drifted_share == 0.5
    assert breaches_of(report)[0].grade == report.data.result == "fail"


def test_history_ends_with_what_is_judged_and_is_drawn_escaped(tmp_path: Path) -> None:
    """A picture that shows another figure than the verdict sends people the wrong way."""
    reference, current = (
        replace(one, features=one.features.rename(columns={"a": "<b>a"}))
        for one in world(1, moved=1.0)
    )
    report = judge((reference, current))
    moved = next(f for f in report.features if f.feature == "<b>a")
    assert len(moved.history) == 29
    assert moved.history[-1] == moved.score
    assert max(moved.history[:20]) < moved.threshold < moved.score
    pictures = pictures_of(report)
    assert pictures[0].column.drifted
    assert pictures[0].points.count(",") == 29
    page = write_page(
        tmp_path / "d.html", "_drift.html", drift=report, evidently="drift.html",
        drift_pictures=pictures,
    ).read_text(encoding="utf-8")  # fmt: skip
    assert "<b>a" not in page
    assert page.count("<svg") == len(pictures)
    assert "at most\n0.0014" in page


@pytest.mark.parametrize("days", [1, 2])
def test_days_too_few_to_tell_abstain(days: int) -> None:
    """One day of thirty is the oddest by chance every month."""
    reference, current = world(1)
    kept = current.outcomes["day"] < current.first + timedelta(days)
    one = replace(
        current, features=current.features[kept], groups=current.groups[kept],
        outcomes=current.outcomes[kept],
    )  # fmt: skip
    found = judge_model_drift(
        reference, one, NO_LABEL, task="classification",
        chosen=reference_choice(reference, asked_days=28), seed=1, options=FEW,
    )  # fmt: skip
    assert isinstance(found, Abstained)
    assert f"28 days and {days} to compare are too few" in found.reason


def test_bad_columns_stop_neither_the_others_nor_the_run() -> None:
    """Constant, empty, infinite and ten thousand categories: each is judged or told of."""
    reference, current = world(6)
    rng = np.random.default_rng(1)
    for window in (reference, current):
        rows = window.rows
        window.features["one"] = 1.0
        window.features["infinite"] = np.inf
        window.features["many"] = rng.integers(0, 10_000, rows).astype(str)
        window.features["gone"] = rng.normal(size=rows)
        window.features["seen"] = "x"
    current.features["gone"] = np.nan
    current.features["seen"] = "y"
    report = judge((reference, current), segments=("region", "many", "seen"))
    assert named(report) >= {("data", "all", "gone (missing)"), ("data", "all", "seen")}
    assert not {"one", "many", "infinite"} & {feature for _, _, feature in named(report)}
    assert {a.subject for a in report.abstained} >= {"m: infinite", "m: gone"}


def test_predictions_that_turn_infinite_or_constant_are_prediction_drift() -> None:
    """A model that answers the same to all, or nothing, is the commonest fault of serving."""
    reference, current = world(7)
    current.outcomes["prediction"] = 1.0
    current.outcomes["probability"] = np.nan
    report = judge((reference, current), labels=False)
    kinds = {(kind, feature) for kind, _, feature in named(report)}
    assert ("prediction", "output: prediction") in kinds
    assert ("prediction", "output: probability (missing)") in kinds
