"""Logs as nobody would wish them: each gives a page and a gate with its reasons, and never a crash.

What a fault of the model itself does is in test_model_gate.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from markupsafe import escape

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Check
from finops_dagster.responsible_ai import ModelJudgement, ModelSpec, judge_model
from finops_dagster.responsible_ai.results import FairnessResult

sys.path.insert(0, str(Path(__file__).parent))
from worlds import AS_OF, log

SPEC = ModelSpec("m", "classification", ("a", "b"), ("g",))
START = AS_OF - timedelta(days=6)
Frames = tuple[pd.DataFrame, pd.DataFrame | None]


@pytest.fixture(autouse=True)
def _no_telemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DO_NOT_TRACK", "1")


def judged(frames: Frames, folder: Path, spec: ModelSpec = SPEC) -> ModelJudgement:
    return judge_model(*frames, spec, as_of=AS_OF, seed=1, folder=folder)


def with_rows(change: Callable[[pd.DataFrame], Any], **world: Any) -> Frames:
    predictions, labels = log(1, **world)
    change(predictions)
    return predictions, labels


def one_group() -> Frames:
    def change(rows: pd.DataFrame) -> None:
        rows["groups"] = [{"g": "only"}] * len(rows)

    return with_rows(change)


def constant() -> Frames:
    def change(rows: pd.DataFrame) -> None:
        rows["prediction"], rows["probability"] = 1.0, 0.7

    return with_rows(change)


def unseen_categories() -> Frames:
    def change(rows: pd.DataFrame) -> None:
        late = rows["day"] >= START
        rows["categories"] = [{"a": "new" if one else "old"} for one in late]

    return with_rows(change)


def ten_thousand_categories() -> Frames:
    def change(rows: pd.DataFrame) -> None:
        rows["categories"] = [{"a": f"c{place % 10_000}"} for place in range(len(rows))]
        rows["groups"] = [{"g": f"g{place % 10_000}"} for place in range(len(rows))]

    return with_rows(change, per_day=180)


def infinite() -> Frames:
    def change(rows: pd.DataFrame) -> None:
        late = (rows["day"] >= START).to_numpy()
        rows.loc[late & (np.arange(len(rows)) % 2 == 0), "prediction"] = np.nan
        rows.loc[late & (np.arange(len(rows)) % 3 == 0), "prediction"] = np.inf
        rows.loc[late, "probability"] = -np.inf

    return with_rows(change)


def nothing_but_nan() -> Frames:
    def change(rows: pd.DataFrame) -> None:
        rows["prediction"] = rows["probability"] = np.nan

    return with_rows(change)


def stopped(days: int) -> Frames:
    predictions, labels = log(1)
    return predictions[predictions["day"] <= AS_OF - timedelta(days=days)], labels


def quiet() -> Frames:
    predictions, labels = log(1)
    late = (predictions["day"] >= START).to_numpy()
    return predictions[~late | (np.arange(len(predictions)) % 4 == 0)], labels


def hole() -> Frames:
    predictions, labels = log(1)
    gone = predictions["day"].isin([AS_OF - timedelta(days=back) for back in (2, 3, 4)])
    return predictions[~gone], labels


def timed() -> tuple[pd.DataFrame, pd.DataFrame]:
    """A healthy log with the times of its answers and labels."""
    predictions, labels = log(1)
    predictions["time"] = pd.to_datetime(predictions["day"], utc=True) + pd.Timedelta(hours=12)
    of = predictions.set_index("prediction_id")["time"]
    labels["time"] = labels["prediction_id"].map(of) + pd.Timedelta(hours=1)
    return predictions, labels


def future() -> Frames:
    predictions, labels = timed()
    late = predictions["day"] == AS_OF
    predictions.loc[late, "time"] += pd.Timedelta(days=400)
    return predictions, labels


def clock_back() -> Frames:
    predictions, labels = timed()
    late = predictions["day"] >= START
    predictions.loc[late, "time"] -= pd.Timedelta(days=3)
    return predictions, labels


def labels_first() -> Frames:
    predictions, labels = timed()
    labels["time"] -= pd.Timedelta(days=2)
    return predictions, labels


def repeated() -> Frames:
    predictions, labels = log(1)
    again = predictions[predictions["day"] == AS_OF].assign(day=AS_OF - timedelta(days=1))
    return pd.concat([predictions, again]), labels


def no_labels() -> Frames:
    return log(1)[0], None


def late_labels() -> Frames:
    return log(1, label_delay=45)


MATRIX: dict[str, tuple[Callable[[], Frames], str, str]] = {
    # case: frames, the gate, and words that one of its reasons has
    "one group only": (one_group, "warn", "fewer than two groups are large enough"),
    "no labels": (no_labels, "warn", "no label has arrived"),
    "unseen categories": (unseen_categories, "fail", "a moved far"),
    "10,000 categories": (ten_thousand_categories, "warn", "fewer than two groups"),
    "NaN and infinite predictions": (infinite, "fail", "missing"),
    "no prediction has a value": (nothing_but_nan, "warn", "no prediction has a value"),
    "labels later than the window": (late_labels, "warn", "more than 28 days ago"),
    "stopped for good": (lambda: stopped(20), "warn", "it has logged no answer since 2026-05-12"),
    "stopped three days ago": (lambda: stopped(3), "warn", "no answer since 2026-05-29"),
    "far fewer answers": (quiet, "warn", "far fewer than"),
    "days jump": (hole, "warn", "its log jumps over 3 days from 2026-05-27 on"),
    "dated in the future": (future, "warn", "dated later than the day that logged them"),
    "clock set back": (clock_back, "warn", "dated before the day that logged them"),
    "labels before answers": (labels_first, "warn", "recorded before the answers"),
    "answers logged twice": (repeated, "warn", "stand in the log on several days"),
}


@pytest.mark.parametrize("case", MATRIX)
def test_each_gives_a_page_and_a_gate_with_its_reasons(case: str, tmp_path: Path) -> None:
    """A judge that stops at the first odd log leaves every model after it unwatched."""
    frames, result, words = MATRIX[case]
    found = judged(frames(), tmp_path)
    text = found.page.read_text(encoding="utf-8")
    assert found.gate.result == result, found.gate.reasons
    assert any(words in reason for reason in found.gate.reasons), found.gate.reasons
    assert found.gate.result in text
    assert all(str(escape(reason)) in text for reason in found.gate.reasons)
    assert {one.reason for one in found.gate.breaches} <= set(found.gate.reasons)


LOGGING = (
    "stopped for good", "stopped three days ago", "far fewer answers", "days jump",
    "dated in the future", "clock set back", "labels before answers", "answers logged twice",
)  # fmt: skip


@pytest.mark.parametrize("case", LOGGING)
def test_a_log_that_cannot_be_relied_on_is_a_breach_of_logging(case: str, tmp_path: Path) -> None:
    """A reason alone is read by people; policy and remedies read breaches."""
    found = judged(MATRIX[case][0](), tmp_path)
    kinds = {one.check for one in found.gate.breaches}
    assert Check.LOGGING in kinds, found.gate.reasons


def test_a_model_that_says_the_same_of_everybody_is_not_in_breach_of_it(tmp_path: Path) -> None:
    """Constant answers have no spread to compare: they must be told, and divide nothing by it."""
    found = judged(constant(), tmp_path)
    assert found.gate.result in ("pass", "warn")
    assert not [one for one in found.gate.breaches if one.grade == "fail"]
    assert "nan" not in found.page.read_text(encoding="utf-8").lower().replace("finance", "")


def test_a_healthy_log_breaks_no_rule_of_logs(tmp_path: Path) -> None:
    """A rule that fires on every weekend is switched off."""
    predictions, labels = timed()
    weekend = predictions["day"].map(date.weekday) >= 5
    found = judged((predictions[~weekend], labels), tmp_path)
    assert not [one for one in found.gate.breaches if one.check is Check.LOGGING]


def test_no_figure_of_a_small_group_is_on_the_page(tmp_path: Path) -> None:
    """Nineteen people are few enough to be known by name."""
    predictions, labels = log(1)
    late = np.flatnonzero((predictions["day"] >= START).to_numpy())
    groups = predictions["groups"].tolist()
    for place in late[:19]:
        groups[place] = {"g": "rare-group"}
    predictions["groups"] = groups
    found = judged((predictions, labels), tmp_path)
    assert isinstance(found.fairness, FairnessResult)
    assert "rare-group" not in found.page.read_text(encoding="utf-8")
    assert "rare-group" not in str(found.gate)
    assert all(row.group != "rare-group" for row in found.fairness.groups)


def test_hostile_names_are_text_everywhere(tmp_path: Path) -> None:
    """Names of models, groups, inputs and versions come from logs that anybody may write."""
    hostile = '"><script>alert(1)</script>{{ 7 * 7 }}../../x\u202e'
    predictions, labels = log(1, bias=1.5)
    predictions["groups"] = [{hostile: one["g"] + hostile} for one in predictions["groups"]]
    predictions["features"] = [[(hostile, dict(one)["a"])] for one in predictions["features"]]
    predictions["model"] = labels["model"] = hostile
    predictions["model_version"] = hostile
    spec = ModelSpec(hostile, "classification", (hostile,), (hostile,), segments=(hostile,))
    found = judge_model(predictions, labels, spec, as_of=AS_OF, seed=1, folder=tmp_path)
    text = found.page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "7 * 7" in text
    assert {one.name for one in tmp_path.iterdir()} == {"model.html", "drift.html"}
    assert found.gate.result == "fail"


def test_a_model_that_nobody_logged_is_not_judged(tmp_path: Path) -> None:
    """An empty log has columns of no type at all."""
    predictions, labels = log(1)
    found = judged((predictions.iloc[:0], labels.iloc[:0]), tmp_path)
    assert isinstance(found.drift, Abstained)
    assert found.gate.result == "warn"
    assert not found.gate.breaches
