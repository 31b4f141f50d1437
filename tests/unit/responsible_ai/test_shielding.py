"""Small groups: neither shown, nor to be worked out of what is shown, alone or crossed."""

from __future__ import annotations

from itertools import pairwise, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.responsible_ai.fairness.judging import judge_fairness
from finops_dagster.responsible_ai.fairness.shielding import shielded, withheld
from finops_dagster.responsible_ai.intervals import widest_gap
from finops_dagster.responsible_ai.results import FairnessResult

K = 20
SIZES = st.lists(st.integers(0, 60), min_size=2, max_size=6)


def places(sizes: list[int]) -> dict[str, np.ndarray]:
    ends = np.cumsum([0, *sizes])
    return {
        f"g{at}": np.arange(low, high)
        for at, (low, high) in enumerate(pairwise(ends))
        if high > low
    }


@given(SIZES, st.integers(0, 40))
def test_the_total_less_the_shown_groups_is_nobody_or_enough(
    sizes: list[int], unknown: int
) -> None:
    """Harm: the one group that is hidden is the whole less the others."""
    given_ = places(sizes)
    shown = shielded(given_, unknown, K)
    left = sum(sizes) - sum(len(place) for place in shown.places.values())
    assert all(len(place) >= K for place in shown.places.values())
    assert left == 0 or left + unknown >= K or not shown.places
    hidden = {group for group, place in given_.items() if len(place) < K}
    assert not hidden & set(shown.places)


def test_groups_put_together_read_so() -> None:
    """Harm: a mixture is taken for the group whose name it has."""
    one = shielded(places([500, 300, 19]), 0, K)
    assert {group: len(place) for group, place in one.places.items()} == {
        "g0": 500, "g1 and others": 319,
    }  # fmt: skip
    assert one.mixed == ""
    two = shielded(places([500, 300, 15, 10]), 0, K)
    assert {group: len(place) for group, place in two.places.items()} == {
        "g0": 500, "g1": 300, "others (2 groups)": 25,
    }  # fmt: skip
    assert two.mixed == "others (2 groups)"
    apart = shielded(places([500, 300, 15]), 40, K)
    assert set(apart.places) == {"g0", "g1"}
    taken = {**places([500, 15, 10]), "others (2 groups)": np.arange(900, 990)}
    assert "others (2 groups)*" in shielded(taken, 0, K).places


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.integers(0, 70), min_size=3, max_size=3), min_size=2, max_size=4))
def test_no_small_cell_of_a_table_follows_from_its_sums(table: list[list[int]]) -> None:
    """Harm: old women are hidden, and are all women less the young and the middle-aged."""
    counts = np.array(table).reshape(-1, 1)
    grid = np.arange(counts.size).reshape(len(table), 3)
    lines = [*grid, *grid.T]
    hidden = withheld(counts, lines, K)
    assert not ((counts[:, 0] > 0) & (counts[:, 0] < K) & ~hidden).any()
    # Whoever knows every sum and every shown cell solves for the hidden ones.
    unknown = np.flatnonzero(hidden & (counts[:, 0] > 0))
    equations = np.array([np.isin(unknown, line) for line in lines], dtype=float)
    for cell in unknown[counts[unknown, 0] < K]:
        wanted = (unknown == cell).astype(float)
        solved = np.linalg.lstsq(equations.T, wanted, rcond=None)[0]
        follows = np.allclose(equations.T @ solved, wanted)
        shown = ~hidden & (counts[:, 0] > 0)
        on_shown_lines = [line for line in lines if cell in line and shown[line].any()]
        assert not follows or not on_shown_lines


def test_a_group_without_rates_does_not_take_those_of_others() -> None:
    """Harm: for the sake of 25 people nobody is told that errors fall on 1,000 others."""
    given_ = places([1500, 1000, 25])
    label = np.zeros(2525, dtype=bool)
    label[::2] = True
    shown = shielded(given_, 0, K, (label, ~label), 0.02)
    assert {group: len(place) for group, place in shown.places.items()} == {
        "g0": 1500, "g1 and others": 1025,
    }  # fmt: skip
    assert "error rate that fewer than 20 people bear" in shown.told
    assert set(shielded(given_, 0, K).places) == {"g0", "g1", "g2"}


def world(seed: int, rows: int, share: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    groups = pd.DataFrame(
        {
            "sex": rng.choice(["f", "m", "x"], rows, p=[0.5, 0.5 - share, share]),
            "age": rng.choice(["young", "old", "very old"], rows, p=[0.6, 0.35, 0.05]),
        }
    )
    outcomes = pd.DataFrame(
        {
            "prediction": rng.integers(0, 2, rows).astype(float),
            "label": rng.integers(0, 2, rows).astype(float),
            "probability": rng.uniform(size=rows),
        }
    )
    return groups, outcomes


@pytest.mark.parametrize("seed", range(6))
def test_rates_of_few_cannot_be_worked_out(seed: int) -> None:
    """Harm: the true positives of all, less those of two groups, are those of nine people."""
    groups, outcomes = world(seed, 420, 0.07)
    found = judge_fairness("m", groups, outcomes, task="classification", seed=1)
    assert isinstance(found, FairnessResult)
    label = outcomes["label"]
    for name in ("sex", "age"):
        rows = [row for row in found.groups if row.attribute == name]
        for value, rate in ((1.0, "true_positive_rate"), (0.0, "false_positive_rate")):
            bearers = groups.loc[label == value, name].value_counts()
            shown = [r for r in rows if getattr(r, rate) is not None]
            told = sum(
                int(bearers[r.group.removesuffix(" and others")])
                for r in shown if not r.group.startswith("others") and "and" not in r.group
            )  # fmt: skip
            if any("others" in r.group for r in shown):
                continue  # everybody is in a group that is shown
            assert told == 0 or bearers.sum() - told == 0 or bearers.sum() - told >= K


def test_crossed_groups_are_shielded_and_the_worst_is_named() -> None:
    """Harm: men and women fare alike, young and old too, and old women are turned away."""
    rng = np.random.default_rng(4)
    parts = {("f", "young"): 600, ("m", "young"): 600, ("f", "old"): 300, ("m", "old"): 300}
    rate = {("f", "young"): 0.6, ("m", "young"): 0.4, ("f", "old"): 0.2, ("m", "old"): 0.6}
    frame = pd.DataFrame(
        [(*who, float(rng.uniform() < rate[who])) for who, count in parts.items()
         for _ in range(count)],
        columns=["sex", "age", "prediction"],
    )  # fmt: skip
    outcomes = frame[["prediction"]].assign(label=np.nan, probability=np.nan)
    found = judge_fairness("m", frame[["sex", "age"]], outcomes, task="classification", seed=1)
    assert isinstance(found, FairnessResult)
    (one,) = found.intersections
    assert one.attributes == ("sex", "age")
    assert one.worst == "f, old"
    selected = frame.groupby(["sex", "age"])["prediction"].mean()
    for row in one.groups:
        assert row.selection_rate is not None
        assert row.selection_rate.value == pytest.approx(selected[row.parts])
    ratio = one.compared.demographic_parity_ratio
    assert ratio is not None
    assert ratio.value == pytest.approx(selected.min() / selected.max())


def test_three_attributes_are_crossed_in_pairs_and_together() -> None:
    """Harm: the third attribute is where it happens."""
    rng = np.random.default_rng(2)
    rows = 4000
    groups = pd.DataFrame({name: rng.choice(["a", "b"], rows) for name in ("p", "q", "r")})
    outcomes = pd.DataFrame({"prediction": rng.integers(0, 2, rows).astype(float), "label": np.nan})
    found = judge_fairness("m", groups, outcomes, task="classification", seed=1)
    assert isinstance(found, FairnessResult)
    assert [one.attributes for one in found.intersections] == [
        ("p", "q"), ("p", "r"), ("q", "r"), ("p", "q", "r"),
    ]  # fmt: skip
    together = found.intersections[-1]
    single = found.attributes[0].demographic_parity_difference
    crossed = found.intersections[0].compared.demographic_parity_difference
    assert single is not None and single.high is not None
    assert crossed is not None and crossed.high is not None
    assert crossed.high - crossed.value > single.high - single.value
    assert {row.parts for row in together.groups} == set(product("ab", repeat=3))


def test_many_looks_at_nothing_find_nothing() -> None:
    """Harm: with enough tables one looks unfair by chance, and a fair model is stopped."""
    worlds, rows, found = 150, 1500, 0
    for seed in range(worlds):
        rng = np.random.default_rng(seed)
        parts = [rng.integers(0, 2, rows) for _ in range(3)]
        said = rng.uniform(size=rows) < 0.5
        surely = False
        for chosen in ((0, 1), (0, 2), (1, 2), (0, 1, 2)):
            cell = sum(parts[at] * 2**place for place, at in enumerate(chosen))
            people = np.bincount(cell, minlength=2 ** len(chosen))
            rate = np.bincount(cell, weights=said, minlength=2 ** len(chosen)) / people
            drawn = np.random.default_rng(1_000 + seed).binomial(people, rate, (2000, len(rate)))
            gap = widest_gap(float(np.ptp(rate)), drawn / people, high=1.0, level=1 - 0.05 / 4)
            assert gap.low is not None
            surely |= gap.low > 0
        found += surely
    # 7.5 are expected at 5 %, give or take 2.7
    assert found <= 15
