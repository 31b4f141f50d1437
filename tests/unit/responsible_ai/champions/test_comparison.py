"""A challenger is promoted where it is surely better and worse for nobody; else it stays back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.champions import Comparison, Terms, compare

USUAL = Terms()
ORIGINS = pd.date_range("2026-06-01", periods=12, freq="7D")
TEAMS = {f"team|USD|t{i}": f"team t{i}" for i in range(8)}
SERIES = ["total|USD|all", *TEAMS, *(f"service|EUR|s{i}" for i in range(6))]


def errors(seed: int, gain: dict[str, float], noise: float = 0.05) -> list[pd.DataFrame]:
    """Champion and challenger, whose errors share what is hard about a window and a series.

    Windows overlap, so what they share moves slowly; `gain` is the share of error saved, by series.
    """
    rng = np.random.default_rng(seed)
    steps = np.convolve(rng.normal(size=(16)), np.ones(5) / 5**0.5, "valid")
    hard = np.exp(0.2 * steps[None, :] + 0.2 * rng.normal(size=(len(SERIES), 12)))
    frames = []
    for side in (0, 1):
        slow = np.stack(
            [np.convolve(rng.normal(size=16), np.ones(5) / 5**0.5, "valid") for _ in SERIES]
        )
        saved = np.array([gain.get(name, gain["rest"]) if side else 0.0 for name in SERIES])
        values = hard * (1 - saved)[:, None] * np.exp(noise * slow)
        frames.append(
            pd.DataFrame(
                {
                    "unique_id": np.repeat(SERIES, len(ORIGINS)),
                    "origin": np.tile(ORIGINS, len(SERIES)),
                    "error": values.ravel(),
                }
            )
        )
    return frames


def compared(
    seed: int, gain: dict[str, float], terms: Terms = USUAL, teams: dict[str, str] = TEAMS
) -> Comparison:
    said = compare(*errors(seed, gain), teams, terms)
    assert isinstance(said, Comparison)
    return said


def test_an_honest_one_is_promoted() -> None:
    """Ten percent better for everybody, in nearly every world."""
    said = [compared(seed, {"rest": 0.10}) for seed in range(40)]
    assert sum(one.promoted for one in said) >= 38
    one = said[0]
    assert one.better.value == pytest.approx(0.10, abs=0.03)
    assert one.better.low is not None and 0.01 < one.better.low < one.better.value
    assert "no segment is worse off by more than 5 %" in one.reasons[0]


def test_better_on_average_and_worse_for_one_team_is_held_back_with_the_reason() -> None:
    """The mean would hide that one team's forecasts became useless."""
    said = [compared(seed, {"rest": 0.15, "team|USD|t3": -0.30}) for seed in range(40)]
    assert not any(one.promoted for one in said)
    one = said[0]
    assert one.better.value > 0.05 and one.p_value < 0.05
    assert one.segments[0].name == "team t3"
    assert one.segments[0].held == "surely"
    assert sum(other.segments[0].held == "surely" for other in said) >= 30
    assert [segment.held for segment in one.segments[1:]] == [""] * 7
    (reason,) = one.reasons
    assert reason.startswith("team t3 is surely worse off by more than 5 %: its error is ")
    assert "higher" in reason


def test_likely_worse_is_held_back_too() -> None:
    """Waiting until harm to a team is certain would have it bear the proof."""
    keys = pd.MultiIndex.from_product([SERIES, ORIGINS], names=["unique_id", "origin"])
    champion = pd.DataFrame({"error": 1.0}, index=keys).reset_index()
    challenger = champion.assign(error=0.85)
    worse = [1.3, 1.25, 1.2, 1.1, 1.0, 0.95, 0.95, 0.95, 1.0, 1.05, 1.1, 1.1]
    challenger.loc[challenger["unique_id"] == "team|USD|t3", "error"] = worse
    said = compare(champion, challenger, TEAMS, USUAL)
    assert isinstance(said, Comparison)
    held = {one.name: one.held for one in said.segments if one.held}
    assert held == {"team t3": "likely"} and not said.promoted


def test_a_lucky_one_is_rarely_promoted() -> None:
    """No better, in 400 worlds: at most .05 of them, and three standard errors."""
    alone = Terms(margin=0.0)
    worlds = range(400)
    rate = np.mean([compared(seed, {"rest": 0.0}, alone, {}).promoted for seed in worlds])
    assert rate > 0  # else nothing is measured
    assert rate <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_better_by_less_than_the_margin_is_not_better() -> None:
    """Each change of champion has its risk: a gain must be worth it."""
    assert not any(
        compared(seed, {"rest": 0.03}, Terms(margin=0.05)).promoted for seed in range(20)
    )


def test_the_paired_test_by_hand() -> None:
    """Of 8 origins that do not overlap it is the paired t test."""
    from scipy.stats import ttest_1samp

    old = np.array([1.0, 1.2, 0.9, 1.1, 1.3, 1.0, 0.8, 1.1])
    new = np.array([0.9, 1.0, 0.9, 1.0, 1.2, 0.8, 0.8, 1.0])
    frames = [
        pd.DataFrame({"unique_id": "a", "origin": ORIGINS[:8], "error": one}) for one in (old, new)
    ]
    said = compare(frames[0], frames[1], {}, Terms(margin=0.0, overlap=1))
    assert isinstance(said, Comparison)
    expected = ttest_1samp(old - new, 0, alternative="greater").pvalue
    assert said.p_value == pytest.approx(expected, rel=1e-12)
    assert said.better.value == pytest.approx(0.8 / 8.4)


def test_windows_that_one_lacks_are_left_out() -> None:
    champion, challenger = errors(1, {"rest": 0.1})
    said = compare(champion, challenger.iloc[::-1].iloc[5:], TEAMS, USUAL)
    assert isinstance(said, Comparison) and said.series == len(SERIES)
    few = challenger[challenger["origin"] < ORIGINS[5]]
    told = compare(champion, few, TEAMS, USUAL)
    assert told == Abstained(
        subject="challenger", reason="5 windows were scored for both; 8 are needed"
    )


def test_bad_input() -> None:
    champion, challenger = errors(1, {"rest": 0.1})
    broken = challenger.assign(error=np.nan)
    assert isinstance(compare(champion, broken, TEAMS, USUAL), Abstained)
    perfect = champion.assign(error=0.0)
    assert isinstance(compare(perfect, challenger, TEAMS, USUAL), Abstained)
    same = compare(champion, champion, TEAMS, USUAL)
    assert isinstance(same, Comparison) and not same.promoted and same.better.value == 0
    with pytest.raises(pd.errors.MergeError):
        compare(pd.concat([champion, champion]), challenger, TEAMS, USUAL)
