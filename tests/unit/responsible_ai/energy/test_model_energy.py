"""What a joule buys: figures as worked by hand, advice where it buys less, silence where not."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Abstained, FindingKind
from finops_dagster.domain.models import Check
from finops_dagster.domain.money import NO_MONEY, Money
from finops_dagster.responsible_ai.energy.breaches import breaches_of
from finops_dagster.responsible_ai.energy.findings import finding
from finops_dagster.responsible_ai.energy.judging import (
    Surroundings,
    VersionFacts,
    judge_energy,
    model_days,
)
from finops_dagster.responsible_ai.energy.quality import day_rows, month_kwh, trivial_answer
from finops_dagster.responsible_ai.energy.results import Advice, DayEnergy, ModelEnergy

AS_OF = date(2026, 5, 31)


def days(
    *,
    seed: int = 0,
    count: int = 42,
    wh: float = 0.02,
    gain: float = 0.3,
    late_wh: float | None = None,
    late_gain: float | None = None,
    late_version: str = "1",
) -> list[DayEnergy]:
    """100 answers a day, all metered and labelled; the last 7 days may be of another kind."""
    rng = np.random.default_rng(seed)
    rows = []
    for back in reversed(range(count)):
        late = back < 7
        of_day = (late_wh or wh) if late else wh
        better = (late_gain if late_gain is not None else gain) if late else gain
        rows.append(
            DayEnergy(
                day=AS_OF - timedelta(days=back),
                version=late_version if late else "1",
                answers=100,
                metered=100,
                energy_wh=100 * of_day * float(np.exp(0.02 * rng.normal())),
                labelled=100,
                gain=100 * better + float(rng.normal()) * 3,
            )
        )
    return rows


def told(rows: list[DayEnergy], **given: Any) -> ModelEnergy:
    around = Surroundings(**{"versions": {}, "peers": {}, "idle_share": None, **given})
    found = judge_energy(
        "m", rows, task="classification", as_of=AS_OF, reference_days=28, analysis_days=7,
        budget_kwh_month=None, around=around,
    )  # fmt: skip
    assert isinstance(found, ModelEnergy), found
    return found


def test_gains_and_their_price_as_worked_by_hand() -> None:
    """100 answers, 80 right where 60 are of the commoner class: 20 gains for 2 Wh, 7.2 kJ."""
    label = np.array([0] * 60 + [1] * 40)
    said = label.copy()
    said[:20] = 1
    answers = pd.DataFrame(
        {"day": AS_OF, "version": "1", "prediction": said.astype(float),
         "label": label.astype(float), "energy_wh": 0.02}
    )  # fmt: skip
    trivial = trivial_answer(label.tolist(), "classification")
    assert trivial == 0.0
    (row,) = day_rows(answers, "classification", trivial)
    assert (row.answers, row.metered, row.labelled, row.gain) == (100, 100, 100, 20.0)
    facts = VersionFacts(kg_co2e=0.004, cost=(Money(amount=Decimal("2"), currency="EUR"),))
    version = told([row], versions={"1": facts}).versions[0]
    assert version.kwh == pytest.approx(0.002)
    assert version.wh_per_thousand.value == pytest.approx(20.0)
    assert version.gain_per_answer is not None
    assert version.gain_per_answer.value == pytest.approx(0.2)
    assert version.gain_per_kilojoule is not None
    assert version.gain_per_kilojoule.value == pytest.approx(0.2 / 0.072)
    assert version.kg_co2e_per_thousand_gains == pytest.approx(0.2)
    assert [(float(one.amount), one.currency) for one in version.cost_per_thousand_gains] == [
        (pytest.approx(100.0), "EUR")
    ]


def test_a_regressors_gain_is_the_error_it_takes_away_from_the_best_constant() -> None:
    answers = pd.DataFrame(
        {"day": AS_OF, "version": "1", "prediction": [1.0, 2.0, 3.0, 8.0],
         "label": [1.0, 2.0, 3.0, 10.0], "energy_wh": [0.1, np.nan, -1.0, 0.1]}
    )  # fmt: skip
    trivial = trivial_answer([1.0, 2.0, 3.0, 10.0], "regression")
    assert trivial == 2.5
    (row,) = day_rows(answers, "regression", trivial)
    # errors of the constant: 1.5, .5, .5, 7.5, mean 2.5; of the model 0, 0, 0, 2
    assert row.gain == pytest.approx((1.5 + 0.5 + 0.5 + 5.5) / 2.5)
    assert (row.metered, row.energy_wh) == (2, pytest.approx(0.2))


def test_a_steady_model_gets_no_advice() -> None:
    """Advice to mend what is not broken wastes the energy that it would save."""
    for seed in range(20):
        found = told(days(seed=seed), peers={"a": 0.001, "b": 0.002}, idle_share=0.9)
        assert found.advice is None
        assert found.change is not None
        assert breaches_of(found) == []
        assert finding(found, resource="r", owner="o", environment="") is None


@pytest.mark.parametrize(
    ("world", "around", "advice"),
    [
        ({"late_gain": 0.15}, {}, Advice.RETRAIN),
        ({"late_wh": 0.05}, {"peers": {"a": 0.01, "b": 0.012}}, Advice.DISTIL),
        ({"late_wh": 0.05}, {"peers": {"a": 0.04, "b": 0.05}, "idle_share": 0.8}, Advice.MOVE),
        ({"late_wh": 0.05}, {}, Advice.LOOK),
    ],
)
def test_a_joule_that_buys_less_is_told_with_what_to_do(
    world: dict[str, float], around: dict[str, Any], advice: Advice
) -> None:
    facts = VersionFacts(kg_co2e=42.0, cost=(Money(amount=Decimal(84), currency="EUR"),))
    found = told(days(**world), versions={"1": facts}, **around)  # type: ignore[arg-type]
    assert found.advice is not None
    assert found.advice.advice is advice
    (breach,) = breaches_of(found, version="1")
    assert (breach.check, breach.grade, breach.version) == (Check.ENERGY, "warn", "1")
    made = finding(found, resource="Deployment/ml/m", owner="team", environment="prod")
    assert made is not None
    assert made.kind is FindingKind.MODEL_ENERGY
    assert made.suggestion
    assert made.carbon_kg_per_month.mid > 0
    if advice is Advice.RETRAIN:
        assert made.saving_per_month == NO_MONEY
    else:
        # 84 EUR in 42 days are 60 in 30; three fifths of the energy is spare
        assert made.saving_per_month.currency == "EUR"
        assert made.saving_per_month.low == 0
        assert float(made.saving_per_month.high) == pytest.approx(36, abs=2)


def test_a_version_is_compared_with_the_one_before_it() -> None:
    found = told(days(late_wh=0.05, late_version="2"))
    assert found.compared == "version 1 before it"
    assert [one.version for one in found.versions] == ["2", "1"]
    assert found.change is not None
    assert found.change.value == pytest.approx(-0.6, abs=0.05)


def test_a_bill_in_two_currencies_gives_no_saving() -> None:
    costs = tuple(Money(amount=Decimal(9), currency=one) for one in ("EUR", "USD"))
    found = told(days(late_wh=0.05), versions={"1": VersionFacts(cost=costs)})
    made = finding(found, resource="r", owner="o", environment="")
    assert made is not None
    assert made.saving_per_month == NO_MONEY


def test_a_budget_that_is_used_up_fails() -> None:
    rows = days()
    kwh, of_days = month_kwh(rows, AS_OF)
    assert of_days == 30
    assert kwh == pytest.approx(0.06, rel=0.02)
    for budget, grades in ((0.05, ["fail"]), (0.07, [])):
        found = judge_energy(
            "m", rows, task="classification", as_of=AS_OF, reference_days=28, analysis_days=7,
            budget_kwh_month=budget, around=Surroundings(),
        )  # fmt: skip
        assert [one.grade for one in breaches_of(found)] == grades


def test_what_is_not_measured_is_said() -> None:
    """No energy, no labels, worse than a coin: each has a reason and no figure."""
    blind = [DayEnergy(AS_OF, "1", 100, 0, 0.0, 0, 0.0)]
    found = judge_energy(
        "m", blind, task="classification", as_of=AS_OF, reference_days=28, analysis_days=7,
        budget_kwh_month=1.0, around=Surroundings(),
    )  # fmt: skip
    assert found == Abstained(subject="m", reason="energy: its log has the energy of no answer")
    unlabelled = told([DayEnergy(AS_OF, "1", 100, 100, 2.0, 0, 0.0)])
    assert unlabelled.versions[0].gain_per_kilojoule is None
    assert unlabelled.change is None
    assert "both a label and their energy" in unlabelled.abstained[0].reason
    coin = told(days(gain=-0.1))
    assert coin.change is None
    assert "no better than those of a predictor without inputs" in coin.abstained[0].reason
    few = told(
        [DayEnergy(AS_OF, "1", 100, 100, 2.0, 0, 0.0), DayEnergy(AS_OF, "2", 90, 3, 1.0, 0, 0)]
    )
    assert [one.version for one in few.versions] == ["1"]
    assert few.abstained[0].reason == (
        "energy: the log has the energy of 3 of 90 answers of version 2"
    )


def test_rows_of_a_log_know_no_label_that_came_before_its_answer_and_no_later_day() -> None:
    log = pd.DataFrame(
        {
            "day": [AS_OF, AS_OF, AS_OF + timedelta(days=1)],
            "time": pd.to_datetime(["2026-05-31T08:00Z", "2026-05-31T09:00Z", "2026-06-01T08:00Z"]),
            "model": "m", "model_version": "1", "prediction_id": ["a", "b", "c"],
            "prediction": 1.0, "energy_wh": 0.5,
        }
    )  # fmt: skip
    labels = pd.DataFrame(
        {
            "day": AS_OF, "model": "m", "prediction_id": ["a", "b"], "label": 1.0,
            "time": pd.to_datetime(["2026-05-31T07:00Z", "2026-05-31T10:00Z"]),
        }
    )  # fmt: skip
    (row,) = model_days(log, labels, model="m", task="classification", as_of=AS_OF, analysis_days=7)
    assert (row.answers, row.labelled, row.energy_wh) == (2, 1, 1.0)
