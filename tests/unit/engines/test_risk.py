"""Sizes by risk: monotone, causal, repeatable, honest about what they do not know."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.optimisation import demand, risk, risk_model
from finops_dagster.engines.optimisation.memory import memory_sizes
from finops_dagster.engines.optimisation.recalibration import Recalibration, recalibration
from finops_dagster.engines.optimisation.risk_features import exceedance, history, rows
from finops_dagster.engines.optimisation.risk_model import Curves

PAST, LATER = 64, 32
WORKLOADS = 120


def _fleet(seed: int, count: int = WORKLOADS) -> tuple[list[str], np.ndarray]:
    """Lognormal demand about levels of their own, some of it with rare bursts."""
    rng = np.random.default_rng(seed)
    level = rng.uniform(1, 20, (count, 1))
    spread = rng.uniform(0.05, 0.6, (count, 1))
    values = level * np.exp(spread * rng.standard_normal((count, PAST + LATER)))
    bursts = rng.random(values.shape) < rng.choice([0.0, 0.02], (count, 1))
    return [f"w{seed}-{i}" for i in range(count)], np.where(bursts, values * 3, values)


@pytest.fixture(scope="module", autouse=True)
def _few_trees() -> Iterator[None]:
    """Thirty trees instead of three hundred tell enough here, in a tenth of the time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(risk_model, "_TREES", 30)
        patch.setitem(risk_model._SETTINGS, "eta", 0.2)
        yield


@pytest.fixture(scope="module")
def model() -> risk.FleetModel:
    names, values = _fleet(1)
    learnt = risk.learn_fleet(names, list(values[:, :PAST]), list(values[:, PAST:]))
    assert isinstance(learnt, risk.FleetModel)
    return learnt


def _sizes(
    model: risk.FleetModel | Abstained, past: np.ndarray, dial: float = 9.0, **more: float
) -> list[risk.Sizing]:
    asked = [risk.Workload(f"n{i}", row, dial, declared=100.0) for i, row in enumerate(past)]
    answers = risk.size_by_risk(model, asked, **more)
    assert all(isinstance(one, risk.Sizing) for one in answers)
    return [one for one in answers if isinstance(one, risk.Sizing)]


def test_more_capacity_is_never_told_to_be_riskier(model: risk.FleetModel) -> None:
    """A curve that rises would make a larger machine look worse than a smaller one."""
    told = model.curves(_fleet(2, 40)[1][:, :PAST])
    for curve in (told.over, told.any_over, told.overflow):
        assert (np.diff(curve, axis=1) <= 1e-9).all()
        assert np.isfinite(curve).all() and (curve >= 0).all()
    assert (told.over <= 1).all() and (told.any_over <= 1).all()


def test_a_more_careful_dial_never_gives_less(model: risk.FleetModel) -> None:
    """Who turns the dial to safety must not be given a smaller size."""
    past = _fleet(3, 40)[1][:, :PAST]
    sizes = np.array([[s.capacity for s in _sizes(model, past, dial)] for dial in risk.DIALS])
    assert (np.diff(sizes, axis=0) >= 0).all()
    assert sizes[-1].mean() > sizes[0].mean()


def test_what_comes_later_changes_nothing(model: risk.FleetModel) -> None:
    """A size that knows tomorrow shows risks in replay that it does not keep in life."""
    values = _fleet(1)[1]
    wild = values.copy()
    wild[:, PAST:] *= 50
    for a, b in zip(_sizes(model, values[:, :PAST]), _sizes(model, wild[:, :PAST]), strict=True):
        assert a == b
    # of what is learnt from, the rows of before do not move with what came after either
    before = history(values[:, :PAST], model.unit), history(wild[:, :PAST], model.unit)
    grid = np.full((WORKLOADS, 1), 10.0)
    assert np.array_equal(rows(before[0], grid), rows(before[1], grid), equal_nan=True)


def test_the_same_fleet_teaches_the_same_in_any_order(model: risk.FleetModel) -> None:
    """A proposal that differs between two runs of one day cannot be reviewed."""
    names, values = _fleet(1)
    mixed = np.random.default_rng(0).permutation(WORKLOADS)
    again = risk.learn_fleet(
        [names[i] for i in mixed],
        [values[i, :PAST] for i in mixed],
        [values[i, PAST:] for i in mixed],
    )
    past = _fleet(4, 20)[1][:, :PAST]
    assert _sizes(again, past) == _sizes(model, past)


def test_size_and_risk_do_not_depend_on_the_unit() -> None:
    """Cores or millicores: the same fleet has the same sizes."""
    names, values = _fleet(1)
    answers = []
    for factor in (1.0, 1024.0):
        scaled = values * factor
        model = risk.learn_fleet(names, list(scaled[:, :PAST]), list(scaled[:, PAST:]))
        answers.append(
            [(s.capacity / factor, s.over_risk) for s in _sizes(model, scaled[:20, :PAST])]
        )
    assert np.allclose(answers[0], answers[1], rtol=1e-3)


def test_stated_risk_is_near_what_comes_true(model: risk.FleetModel) -> None:
    """Risk that is told too low is the one thing a reviewer cannot see."""
    values = _fleet(5, 200)[1]
    past, later = values[:, :PAST], values[:, PAST:]
    for dial in (2.5, 9.0):
        sizes = _sizes(model, past, dial)
        over = later > np.array([s.capacity for s in sizes])[:, None]
        stated = np.mean([s.over_risk for s in sizes])
        assert 0.7 < stated / over.mean() < 1.5
        assert np.mean([s.any_risk for s in sizes]) == pytest.approx(over.any(1).mean(), abs=0.1)


def test_correction_mends_a_model_that_is_too_sure() -> None:
    """Odds told at a third of what they are come back near, and keep their order."""
    rng = np.random.default_rng(0)
    true = rng.beta(1, 9, 4000)
    odds = true / (1 - true) / 3
    said = odds / (1 + odds)
    seen = rng.binomial(50, true) / 50
    mended = recalibration(said[:2000], seen[:2000])(said[2000:])
    error = np.abs(said[2000:].mean() - seen[2000:].mean())
    assert np.abs(mended.mean() - seen[2000:].mean()) < error / 10
    assert np.abs(mended - true[2000:]).mean() < np.abs(said[2000:] - true[2000:]).mean() / 5
    assert (np.diff(mended[np.argsort(said[2000:], kind="stable")]) >= 0).all()


@pytest.mark.parametrize("seen", [0.0, 1.0])
def test_correction_of_certainties_stays_finite_and_rising(seen: float) -> None:
    """A fleet without one breach must not turn the correction upside down."""
    said = np.linspace(0.001, 0.5, 50)
    mended = recalibration(said, np.full(50, seen))(said)
    assert np.isfinite(mended).all() and (np.diff(mended) > 0).all()
    assert recalibration(np.array([]), np.array([])) == Recalibration()


def test_choice_is_the_least_of_the_sum() -> None:
    """Against the sum written out by hand."""
    of = Curves(np.array([[10.0, 20.0, 40.0]]), np.array([[0.5, 0.1, 0.0]]),
                np.array([[1.0, 0.6, 0.0]]))  # fmt: skip
    assert of.overflow.tolist() == [[4.0, 1.0, 0.0]]
    unit = 20.0
    for dial in (0.01, 0.2, 5.0):
        sums = [
            100 * c / unit + risk._ANY * a + dial * (100 * p + risk._OVERFLOW * 100 * e / unit)
            for c, p, a, e in zip((10, 20, 40), (0.5, 0.1, 0), (1, 0.6, 0), (4, 1, 0), strict=True)
        ]
        assert risk.choose(of, np.array([dial]), unit).tolist() == [int(np.argmin(sums))]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([], "measured in 0 intervals"),
        ([3.0], "measured in 1 intervals"),
        ([np.nan] * 50, "measured in 0 intervals"),
        ([np.inf, -np.inf, -1.0] * 20, "measured in 0 intervals"),
        ([0.0] * 50, "never above zero"),
        ([1.0] * 20 + [np.nan] * 30, "of its intervals"),
    ],
)
def test_what_cannot_be_sized_says_why(
    model: risk.FleetModel, values: list[float], reason: str
) -> None:
    """A size from nothing would be a guess with a decimal point."""
    good = risk.Workload("good", np.arange(1.0, 40.0))
    answers = risk.size_by_risk(model, [risk.Workload("bad", np.array(values)), good])
    assert isinstance(answers[0], Abstained) and answers[0].subject == "bad"
    assert reason in answers[0].reason
    assert isinstance(answers[1], risk.Sizing) and answers[1].name == "good"


@pytest.mark.parametrize("field", [{"dial": 0.0}, {"dial": np.nan}, {"declared": 0.0},
                                   {"declared": np.inf}, {"declared": -2.0}])  # fmt: skip
def test_impossible_terms_say_so(model: risk.FleetModel, field: dict[str, float]) -> None:
    """A request of zero has no share to save."""
    (answer,) = risk.size_by_risk(model, [risk.Workload("x", np.arange(1.0, 40.0), **field)])
    assert isinstance(answer, Abstained) and "not a positive" in answer.reason


def test_gaps_and_impossible_numbers_are_missing_not_zero(model: risk.FleetModel) -> None:
    """Scrapes that failed must not make a workload look smaller."""
    rng = np.random.default_rng(0)
    whole = rng.uniform(5, 10, PAST)
    broken = whole.copy()
    broken[[3, 20]], broken[[40, 41]], broken[50] = np.nan, np.inf, -1.0
    (a,), (b,) = (_sizes(model, one[None, :]) for one in (whole, broken))
    assert b.capacity == pytest.approx(a.capacity, rel=0.15)
    # what was not measured at the start is no part of the history
    late = np.concatenate([np.full(500, np.nan), whole])
    assert _sizes(model, late[None, :])[0].capacity == a.capacity


def test_histories_of_all_lengths_are_told_in_their_order(model: risk.FleetModel) -> None:
    """Histories are worked on in groups of one length: none may get another's size."""
    rng = np.random.default_rng(0)
    series = [level * rng.uniform(0.9, 1.0, size) for level, size in
              [(1.0, 30), (50.0, 64), (5.0, 30), (20.0, 200), (2.0, 64)]]  # fmt: skip
    together = risk.size_by_risk(model, [risk.Workload(str(i), s) for i, s in enumerate(series)])
    alone = [risk.size_by_risk(model, [risk.Workload(str(i), s)])[0] for i, s in enumerate(series)]
    assert together == alone


def test_a_small_fleet_is_sized_by_quantiles_and_told_so() -> None:
    """A model of thirty workloads would state risks it cannot know."""
    names, values = _fleet(1, 30)
    learnt = risk.learn_fleet(names, list(values[:, :PAST]), list(values[:, PAST:]))
    assert isinstance(learnt, Abstained)
    past = values[:, :PAST]
    for dial, level, headroom in ((17.0, 0.995, 1.2), (9.0, 0.99, 1.15), (1.2, 0.95, 1.15)):
        sizes = _sizes(learnt, past, dial)
        expected = np.quantile(past, level, axis=1) * headroom
        assert np.allclose([s.capacity for s in sizes], expected)
        assert {s.rule for s in sizes} == {"quantile rule"}
        assert "30 workloads with enough history" in sizes[0].why
        assert sizes[0].over_risk is None and sizes[0].any_risk is None
        assert sizes[0].saved_share == pytest.approx(1 - expected[0] / 100)


def test_a_longer_horizon_has_more_risk_of_any_breach(model: risk.FleetModel) -> None:
    """Two horizons: 1 - (1 - p)^2; the share of intervals stays."""
    past = _fleet(6, 5)[1][:, :PAST]
    for one, two in zip(_sizes(model, past), _sizes(model, past, horizons=2.0), strict=True):
        assert one.any_risk is not None and two.any_risk is not None
        assert two.any_risk == pytest.approx(1 - (1 - one.any_risk) ** 2)
        assert two.over_risk == one.over_risk and two.capacity == one.capacity


def test_quantiles_are_numpys_with_gaps() -> None:
    """The quick quantile, held against the obvious one."""
    values = np.random.default_rng(0).random((20, 33))
    values[values < 0.2] = np.nan
    ours = demand.quantiles(*demand.sorted_known(values), (0.0, 0.33, 0.9, 1.0))
    assert np.allclose(ours, np.nanquantile(values, [0.0, 0.33, 0.9, 1.0], axis=1).T)


def test_exceedance_is_a_count() -> None:
    """The one search over all rows, held against counting."""
    rng = np.random.default_rng(0)
    values = rng.integers(0, 8, (30, 17)).astype(float)
    values[rng.random(values.shape) < 0.3] = np.nan
    values[4] = np.nan
    level = rng.integers(0, 9, (30, 6)).astype(float)
    told = exceedance(*demand.sorted_known(values), level)
    known = np.isfinite(values).sum(1)
    for i in range(30):
        for j in range(6):
            if known[i] == 0:
                assert np.isnan(told[i, j])
            else:
                assert told[i, j] == pytest.approx((values[i] > level[i, j]).sum() / known[i])


@pytest.mark.parametrize(
    ("values", "step"), [([1, 2, 5, 9], 1.0), ([0.5, 1.5, 2.0], 0.5), ([1, 1.5, 2.2], 0.0),
                         ([3, 3, 3], 0.0), ([0.001, 0.002], 0.0)],
)  # fmt: skip
def test_the_meters_step(values: list[float], step: float) -> None:
    """Whole percents have a step of one; what is continuous has none."""
    assert demand.meter_step([np.array(values, dtype=float)], unit=10.0) == step


def test_a_demand_table_is_refused() -> None:
    """Two dimensions are a caller's mistake, not a history."""
    with pytest.raises(ValueError, match="one dimension"):
        demand.cleaned(np.zeros((2, 2)))


def test_memory_is_peak_and_drift_and_two_points() -> None:
    """By hand: rising from 10 to 30, flat, falling, with gaps and without a sample."""
    nan = np.nan
    past = np.array(
        [[10, 10, 20, 20, 30, 30], [7] * 6, [30, 30, 20, 20, 10, 10], [nan, 5, nan, nan, 9, nan],
         [nan] * 6], dtype=float,
    )  # fmt: skip
    sizes = memory_sizes(past, np.array([100.0, 100.0, 100.0, 50.0, 100.0]))
    assert np.allclose(sizes, [30 + 20 + 2, 9, 32, 9 + 4 + 1, nan], equal_nan=True)
