"""Breaches of fairness name whom they fall on; mitigation is tried on days it was not fitted on."""

from __future__ import annotations

from decimal import Decimal
from itertools import product

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Check
from finops_dagster.responsible_ai import GateLimits
from finops_dagster.responsible_ai.fairness.breaches import breaches_of
from finops_dagster.responsible_ai.fairness.judging import judge_fairness
from finops_dagster.responsible_ai.fairness.mitigation import Labelled, mitigate
from finops_dagster.responsible_ai.fairness.reweighing import weights
from finops_dagster.responsible_ai.fairness.thresholds import Candidates, best_thresholds, worth
from finops_dagster.responsible_ai.results import FairnessResult


def biased(seed: int, rows: int = 3000, bias: float = 1.2) -> Labelled:
    """Groups that are alike in truth, and a model whose scores of b are too low."""
    rng = np.random.default_rng(seed)
    group = rng.choice(["a", "b"], rows, p=[0.6, 0.4])
    merit = rng.normal(size=rows)
    seen = merit - bias * (group == "b")
    score = 1 / (1 + np.exp(-2 * seen))
    outcomes = pd.DataFrame(
        {
            "prediction": (score > 0.5).astype(float),
            "label": (rng.uniform(size=rows) < 1 / (1 + np.exp(-2 * merit))).astype(float),
            "probability": score,
        }
    )
    inputs = pd.DataFrame({"seen": seen, "noise [<]": rng.choice(["p", "q"], rows)})
    return pd.DataFrame({"g": group}), outcomes, inputs


def test_weights_are_those_of_the_paper() -> None:
    """F. Kamiran and T. Calders 2012, table 3: sex and class of ten job applicants."""
    sex = np.array(["m"] * 5 + ["f"] * 5, dtype=object)
    label = np.array([1, 1, 1, 1, 0, 1, 1, 0, 0, 0], dtype=float)
    found = weights(sex, label)
    assert found == pytest.approx({("m", 1): 0.75, ("m", 0): 2.0, ("f", 1): 1.5, ("f", 0): 2 / 3})


def test_weights_make_group_and_label_independent() -> None:
    """Harm: weights that do not do what they are for."""
    rng = np.random.default_rng(1)
    group = rng.choice(["a", "b", "c"], 500).astype(object)
    label = (rng.uniform(size=500) < np.where(group == "a", 0.7, 0.2)).astype(float)
    found = weights(group, label)
    weight = np.array([found[g, int(y)] for g, y in zip(group, label, strict=True)])
    rates = [np.average(label[group == g], weights=weight[group == g]) for g in "abc"]
    assert rates == pytest.approx([label.mean()] * 3)


@pytest.mark.parametrize("limit", [0.0, 0.05, 0.2])
def test_thresholds_equal_trying_every_pair(limit: float) -> None:
    """Harm: a better choice was there, and people were told the cost of a worse one."""
    groups, outcomes, _ = biased(3, 600)
    made = {
        g: Candidates.of(*(outcomes.loc[groups["g"] == g, c].to_numpy()
                           for c in ("probability", "label")))
        for g in "ab"
    }  # fmt: skip
    found = best_thresholds(made, "demographic parity", limit + 0.005)
    assert found is not None

    def of(group: str, threshold: float) -> tuple[float, float]:
        one = made[group]
        (place,) = np.flatnonzero(one.threshold == threshold)
        return float(one.selected[place]), float(one.right[place])

    ours = {group: of(group, threshold) for group, threshold in found.items()}
    assert abs(ours["a"][0] - ours["b"][0]) <= limit + 0.005 + 1e-9
    best = max(
        of("a", one)[1] + of("b", two)[1]
        for one, two in product(made["a"].threshold, made["b"].threshold)
        if abs(of("a", one)[0] - of("b", two)[0]) <= limit
    )
    assert ours["a"][1] + ours["b"][1] >= best - 1e-9


def test_mitigation_holds_on_later_days_and_tells_its_price() -> None:
    """Harm: a cure is judged on the days it was fitted to."""
    made, refused = mitigate(
        "m", biased(1), biased(2), task="classification", seed=0, smallest_group=20,
        error_cost=(Decimal("2.00"), "EUR"),
    )  # fmt: skip
    assert refused == ()
    ways = {(one.method, one.aim): one for one in made}
    odds = ways["group thresholds", "equalized odds"]
    before, after = (one.equalized_odds_difference for one in (odds.before, odds.after))
    assert before is not None and after is not None
    assert after.value < before.value / 2
    assert [name for name, _ in odds.settings] == ["a", "b"]
    assert dict(odds.settings)["b"] < dict(odds.settings)["a"]
    limits = [point.limit for point in odds.frontier]
    assert limits == sorted(limits, reverse=True)
    amount, currency = odds.cost.split()
    assert currency == "EUR"
    assert float(amount) == pytest.approx(2 * odds.wrong_per_thousand, abs=0.01)
    assert odds.rows == 3000
    plain = ways["reweighing", "demographic parity"]
    names = {name for name, _ in plain.settings}
    assert names == {"a, label 0", "a, label 1", "b, label 0", "b, label 1"}


def test_thresholds_that_select_nobody_are_not_offered() -> None:
    """Harm: groups are made alike by turning everybody away, and that is called a cure."""
    fair = [biased(seed, bias=0.0) for seed in (1, 2)]
    made, refused = mitigate(
        "m", fair[0], fair[1], task="classification", seed=0, smallest_group=20
    )
    for one in made:
        assert one.accuracy_change.value > -0.05
    groups, outcomes, _ = biased(3)
    candidates = {
        g: Candidates.of(*(outcomes.loc[groups["g"] == g, c].to_numpy()
                           for c in ("probability", "label")))
        for g in "ab"
    }  # fmt: skip
    free = best_thresholds(candidates, "equalized odds", 1.0)
    assert free is not None
    assert worth(candidates, free, free, 0.25) == pytest.approx(0.75)
    nobody = dict.fromkeys("ab", 1.001)
    assert worth(candidates, nobody, free, 0.0) <= 0.05
    assert all("worth it" in one.reason for one in refused)


def test_mitigation_says_why_it_was_not_tried() -> None:
    """Harm: an empty table reads as: nothing can be done."""
    groups, outcomes, inputs = biased(1)
    later = biased(2)

    def why(earlier: Labelled, task: str = "classification") -> str:
        found, refused = mitigate("m", earlier, later, task=task, seed=0, smallest_group=20)  # type: ignore[arg-type]
        assert not [one for one in found if one.method == "group thresholds"]
        return "; ".join(one.reason for one in refused)

    assert "labels" in why((groups, outcomes.assign(label=np.nan), inputs))
    assert "probabilities" in why((groups, outcomes.assign(probability=np.nan), inputs))
    assert "classifiers only" in why((groups, outcomes, inputs), "regression")
    assert "fewer than two groups" in why((groups.assign(g="a"), outcomes, inputs))
    found, refused = mitigate(
        "m", (groups, outcomes, inputs[[]]), later, task="classification", seed=0,
        smallest_group=20,
    )  # fmt: skip
    assert all(one.method == "group thresholds" for one in found)
    assert "no" in refused[0].reason and "inputs" in refused[0].reason


def judged(groups: pd.DataFrame, outcomes: pd.DataFrame) -> FairnessResult:
    found = judge_fairness("m", groups, outcomes, task="classification", seed=1)
    assert isinstance(found, FairnessResult)
    return found


def test_breaches_name_the_group_they_fall_on() -> None:
    """Harm: a model is stopped, and nobody knows for whose sake."""
    groups, outcomes, _ = biased(1)
    found = breaches_of(judged(groups, outcomes), GateLimits())
    assert {one.segment for one in found} == {"g=b"}
    assert {one.check for one in found} == {Check.FAIRNESS}
    ratio = next(one for one in found if "selection_ratio" in one.figures)
    assert ratio.grade == "fail"
    assert ratio.reason.startswith("g: b is selected 0.")
    assert ratio.figures["selection_ratio_limit"] == 0.8
    assert ratio.figures["selection_ratio_high"] < 0.8
    assert breaches_of(judged(groups, outcomes), GateLimits(ignore=("g",))) == ()
    assert breaches_of(Abstained(subject="m", reason="why"), GateLimits()) == ()
    assert breaches_of(None, GateLimits()) == ()


def test_a_group_that_is_never_selected_is_a_sure_breach() -> None:
    """Harm: the worst of all, none selected, has no ratio and only warns."""
    groups = pd.DataFrame({"g": ["a"] * 300 + ["b"] * 300})
    outcomes = pd.DataFrame({"prediction": [1.0, 0.0] * 150 + [0.0] * 300, "label": np.nan})
    (one,) = breaches_of(judged(groups, outcomes), GateLimits())
    assert (one.grade, one.segment) == ("fail", "g=b")


def test_an_intersection_is_told_where_its_attributes_are_clean() -> None:
    """Harm: one breach is told four times; or the one of old women, never."""
    groups, outcomes, _ = biased(1)
    other = groups.assign(h=np.random.default_rng(0).choice(["p", "q"], len(groups)))
    assert all("," not in one.segment for one in breaches_of(judged(other, outcomes), GateLimits()))
    rng = np.random.default_rng(1)
    crossed = pd.DataFrame({"g": rng.choice(["a", "b"], 3000), "h": rng.choice(["p", "q"], 3000)})
    rate = np.where((crossed["g"] == "a") == (crossed["h"] == "p"), 0.6, 0.2)
    said = pd.DataFrame({"prediction": (rng.uniform(size=3000) < rate).astype(float),
                         "label": np.nan})  # fmt: skip
    (one,) = breaches_of(judged(crossed, said), GateLimits())
    assert one.grade == "fail"
    assert one.segment in {"g=a, h=q", "g=b, h=p"}
    assert breaches_of(judged(crossed, said), GateLimits(ignore=("h",))) == ()
