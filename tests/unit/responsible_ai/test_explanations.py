"""Explanations: they add up, they read well, and nothing in them runs."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Check
from finops_dagster.responsible_ai import Explanation, explain
from finops_dagster.responsible_ai.explanations.pages import anchor, write_explanations
from finops_dagster.responsible_ai.explanations.series import (
    SeriesExplanation,
    explain_series,
    sums_breach,
    unexplained,
)
from finops_dagster.responsible_ai.explanations.stability import (
    LEAST_SERIES,
    LIMIT,
    ExplainedDay,
    Stability,
    stability,
)
from finops_dagster.responsible_ai.explanations.waterfall import waterfall

HOSTILE = "<script>alert(1)</script>"
PARTS = {"mean_7_days": 90.0, "weekday": -44.5, "trend": 3.25, "a": 1.0, "b": 0.5, "c": -0.25,
         "d": 0.125, "e": 0.0625}  # fmt: skip


def made(base: float = 400.0, **changes: object) -> Explanation:
    found = explain(
        "team-a", base, PARTS, base + sum(PARTS.values()), unit="USD per day", **changes
    )  # type: ignore[arg-type]
    assert isinstance(found, Explanation)
    return found


def test_bars_and_words_add_up_to_the_prediction() -> None:
    """An explanation that does not add up explains something else."""
    found = made()
    assert found.base + sum(part.amount for part in found.shown) == pytest.approx(found.prediction)
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\(([+-][\d,]+\.\d\d)", found.words)]
    assert sum(numbers) == pytest.approx(found.prediction - found.base, abs=0.03)
    assert found.words.startswith("450.19 USD per day is expected. It starts from 400.00: what")
    assert "What raises it: mean 7 days (+90.00), trend (+3.25)" in found.words
    assert "What lowers it: weekday (-44.50) and c (-0.25)." in found.words
    assert "2 other reasons together (+0.19)" in found.words


def test_inputs_of_one_reason_are_one_reason() -> None:
    """Six averages that tell of the same are one thing to whoever pays."""
    labels = {"a": "its level", "b": "its level", "c": "its level", "weekday": "it is a Monday"}
    found = made(labels=labels, interval=(400.0, 500.0))
    level = next(one for one in found.contributions if one.feature == "its level")
    assert level.amount == 1.25
    assert level.of == (("a", 1.0), ("b", 0.5), ("c", -0.25))
    assert "is expected, in 80 of 100 cases between 400.00 and 500.00." in found.words
    assert "it is a Monday (-44.50)" in found.words


def test_cents_are_left_out_of_thousands() -> None:
    """Six digits are not read."""
    found = made(base=150000.0)
    assert found.words.startswith("150,050 USD per day is expected. It starts from 150,000:")
    assert "(-44)" in found.words and ".50" not in found.words


def test_contributions_that_do_not_add_up_are_refused() -> None:
    """Better no reason than a false one."""
    refused = explain("x", 1.0, {"a": 1.0}, 3.0, unit="USD")
    assert isinstance(refused, Abstained)
    assert isinstance(explain("x", 1.0, {"a": float("nan")}, 3.0, unit="USD"), Abstained)


@settings(max_examples=60, deadline=None)
@given(
    st.floats(-1e6, 1e6),
    st.lists(st.floats(-1e5, 1e5), min_size=0, max_size=12),
)
def test_each_bar_begins_where_the_last_one_ended(base: float, amounts: list[float]) -> None:
    """A picture that does not arrive at its total shows another number."""
    parts = {f"f{n}": amount for n, amount in enumerate(amounts)}
    found = explain("x", base, parts, base + sum(amounts), unit="USD")
    assert isinstance(found, Explanation)
    drawn = waterfall(found)
    assert drawn.bars[0].kind == "start" and drawn.bars[-1].kind == "total"
    scale = max(abs(bar.end) for bar in drawn.bars) + 1
    for before, bar in zip(drawn.bars, drawn.bars[1:-1], strict=False):
        begins = bar.left if bar.kind == "up" else bar.left + bar.width
        assert begins == pytest.approx(before.end, abs=1e-9 * scale)
    # what is left out of the picture rounds to nothing in the digits shown
    assert drawn.bars[-1].end == pytest.approx(drawn.bars[-2].end, abs=0.02)
    for bar in drawn.bars:
        assert bar.left >= -1e-9 and bar.left + bar.width <= 1 + 1e-9


def test_a_cut_axis_says_so_and_claims_no_length() -> None:
    """Two bars that seem ten times apart, and differ by a hundredth, lie."""
    cut = waterfall(made(base=40000.0))
    assert cut.begins == "39,989 USD per day"
    assert cut.bars[0].width == cut.bars[-1].width < 0.02
    whole = waterfall(made(base=10.0))
    assert whole.begins == ""
    assert whole.bars[-1].width == pytest.approx(whole.bars[-1].end)


def reason(feature: str, day: date | None) -> str:
    return f"it is {day:%A}" if day and feature == "weekday" else feature.replace("_", " ")


def frames(
    series: int = 6, steps: int = 3, seed: int = 0, first: str = "2026-10-01"
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A forecast, its contributions and its history, made up."""
    rng = np.random.default_rng(seed)
    weights = {"mean_7": 5.0, "weekday": 3.0, "slope_14": 1.0, "spread_7": 0.5}
    told, ahead, past = [], [], []
    for n in range(series):
        name = f"team|USD|t{n}"
        for step in range(1, steps + 1):
            ds = pd.Timestamp(first) + pd.Timedelta(days=step)
            parts = {key: float(w * rng.normal(1, 0.05)) for key, w in weights.items()}
            parts["base"] = 100.0
            mean = sum(parts.values())
            ahead.append((name, ds, step, mean, mean - 1, mean + 1))
            told += [(name, ds, step, key, amount) for key, amount in parts.items()]
        days = pd.date_range(end=first, periods=40)
        past += [(name, ds, 100.0 + n) for ds in days]
    return (
        pd.DataFrame(ahead, columns=["unique_id", "ds", "step", "mean", "lo80", "hi80"]),
        pd.DataFrame(told, columns=["unique_id", "ds", "step", "feature", "contribution"]),
        pd.DataFrame(past, columns=["unique_id", "ds", "y"]),
    )


def series_of(exact: bool = True, **more: object) -> list[SeriesExplanation]:
    frame, contributions, _ = frames()
    return explain_series(
        frame,
        contributions,
        reason,
        titles=lambda name: (name, "USD"),
        base_words="a usual day",
        exact=exact,
        **more,  # type: ignore[arg-type]
    )


def test_all_days_together_are_the_sum_of_their_days() -> None:
    """What a month comes to is asked more often than what a day does."""
    frame, contributions, _ = frames()
    found = series_of(days=[1, 2, 3])[0]
    assert isinstance(found.whole, Explanation)
    mine = frame[frame["unique_id"] == found.id]
    assert found.whole.prediction == pytest.approx(mine["mean"].sum())
    assert found.whole.base_words == "3 times a usual day"
    assert found.whole.interval is None
    day = found.days[1]
    assert isinstance(day, Explanation)
    assert day.subject == "Saturday 2026-10-03, 2 days ahead"
    assert "it is Saturday" in {one.feature for one in day.contributions}
    # without a day in between there is no sum to tell
    part = contributions[contributions["step"] != 2]
    some = explain_series(
        frame, part, reason, titles=lambda name: (name, "USD"), base_words="a usual day"
    )
    assert some[0].whole is None and len(some[0].days) == 2


def test_every_row_that_does_not_add_up_is_found() -> None:
    """One wrong row among thousands is the one that somebody asks about."""
    frame, contributions, _ = frames()
    assert unexplained(frame, contributions).empty
    assert sums_breach(frame, contributions) is None
    wrong = contributions.copy()
    wrong.loc[7, "contribution"] += 1e-3
    found = unexplained(frame, wrong)
    assert found[["unique_id", "step"]].values.tolist() == [["team|USD|t0", 2]]
    breach = sums_breach(frame, wrong)
    assert breach is not None
    assert (breach.check, breach.grade) == (Check.EXPLANATION, "fail")
    assert breach.reason.startswith("1 of 18 explained forecasts are not the sum")
    tiny = contributions.copy()
    tiny.loc[7, "contribution"] += 1e-5
    assert unexplained(frame, tiny).empty
    # explained, and not forecast
    assert len(unexplained(frame[frame["step"] < 3], contributions)) == 6


def watched(day: int, seed: int, **changes: object) -> ExplainedDay:
    _, contributions, history = frames(seed=seed, **changes)  # type: ignore[arg-type]
    return ExplainedDay(date(2026, 10, day), contributions, history)


def test_explanations_that_stay_are_stable() -> None:
    """An alarm on each day that a model is trained anew would be switched off."""
    found = stability(watched(9, 5), [watched(n, n) for n in (1, 2, 3)], reason)
    assert isinstance(found, Stability)
    assert found.breach is None
    assert found.compared == (date(2026, 10, 1), date(2026, 10, 2), date(2026, 10, 3))
    assert found.variation < 0.05 and found.rank_correlation == pytest.approx(1.0)
    assert (found.unmoved, found.top_overlap) == (6, 1.0)


def test_explanations_that_jump_while_data_stay_are_a_breach() -> None:
    """Whoever was told that weekdays cost must not be told the next day that growth does."""
    now = watched(9, 5)
    swap = {"mean_7": "spread_7", "spread_7": "mean_7"}
    jumped = now.contributions.assign(feature=now.contributions["feature"].replace(swap))
    today = ExplainedDay(now.as_of, jumped, now.history)
    found = stability(today, [watched(1, 1)], reason)
    assert isinstance(found, Stability) and found.breach is not None
    assert found.variation == pytest.approx((5 - 0.5) / 9.5, abs=0.05)
    assert found.breach.check is Check.EXPLANATION
    assert found.breach.figures["explanation_variation_median_limit"] == LIMIT
    assert found.breach.since == date(2026, 10, 1)
    # the same jump where costs doubled, or an event began, is none
    dearer = ExplainedDay(now.as_of, jumped, now.history.assign(y=now.history["y"] * 2))
    assert isinstance(stability(dearer, [watched(1, 1)], reason), Abstained)
    event = jumped[jumped["feature"] == "weekday"].assign(feature="event: move")
    moved = ExplainedDay(now.as_of, pd.concat([jumped, event]), now.history)
    assert isinstance(stability(moved, [watched(1, 1)], reason), Abstained)


def test_stability_abstains_where_nothing_is_to_compare() -> None:
    """The first day has no day before it, and days after it are not known."""
    first = stability(watched(9, 5), [], reason)
    assert isinstance(first, Abstained) and first.reason == "no earlier day is explained"
    later = stability(watched(9, 5), [watched(9, 1), watched(10, 1)], reason)
    assert later == first
    few = stability(watched(9, 5, series=4), [watched(1, 1, series=4)], reason)
    assert isinstance(few, Abstained) and f"{LEAST_SERIES} are needed" in few.reason


def test_the_page_of_explanations(tmp_path: Path) -> None:
    """A page that needs a network, or runs a tag's text, cannot be handed round."""
    hostile = explain(HOSTILE, 0.0, {HOSTILE: 2.0}, 2.0, unit=HOSTILE)
    refused = Abstained(subject=HOSTILE, reason="because")
    whole = made(exact=False)
    shown = [
        SeriesExplanation("team|USD|a", "Team a", whole, (made(), refused)),
        SeriesExplanation(HOSTILE, HOSTILE, None, (hostile,)),
    ]
    page = write_explanations(
        tmp_path / "x" / "why.html", "Why", shown, back=("Forecasts", "forecasts.html"),
        left_out=[Abstained(subject="young", reason="12 days of history")],
    )  # fmt: skip
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http" not in text
    # 6 reasons, the rest, start and total, twice; and 1 reason with its start and total
    assert text.count("<rect") == 2 * (6 + 1 + 2) + 3
    assert "because" in text and "12 days of history" in text
    assert f'id="{anchor("team|USD|a")}"' in text and 'href="forecasts.html"' in text
    assert "approximate, as there are thousands of series" in " ".join(text.split())
    assert "exact contributions" in write_explanations(
        tmp_path / "y.html", "Why", series_of()
    ).read_text("utf-8")
