"""Every engine of ours has one model card, made of its own constants and of its code."""

from __future__ import annotations

import ast
import inspect
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finops_dagster.defs.insight.models.cards import card_entries, engines
from finops_dagster.defs.insight.waste import finders
from finops_dagster.domain.decisions import FindingKind
from finops_dagster.engines.anomalies.result import DetectionConfig
from finops_dagster.engines.forecasting import recipes
from finops_dagster.engines.optimisation import idle, risk_model, tiers
from finops_dagster.responsible_ai.cards.code import code_modules

ROOT = Path(__file__).parents[3]
ENGINES = {one.name: one for one in engines()}


def test_each_engine_has_one_card() -> None:
    """Two cards of one engine contradict each other on the first change."""
    assert len(ENGINES) == len(engines())
    assert {"cost-forecaster", "budget-forecaster", "cost-anomalies", "telemetry-anomalies",
            "workload-sizing", "commitments", "model-watch"} <= set(ENGINES)  # fmt: skip
    entries = card_entries()
    assert [one.name for one in entries] == [one.name for one in engines()]
    assert len({one.hash for one in entries}) == len(entries)
    assert entries[0].page == "cards/cost-forecaster.html"


def test_each_kind_of_finding_is_of_one_engine() -> None:
    """A kind that no card answers for is found by nobody who could be asked."""
    counts = Counter(kind for one in engines() for kind in one.finds)
    assert counts == dict.fromkeys(FindingKind, 1)


def finder_modules() -> list[ModuleType]:
    every: tuple[Any, ...] = (*finders.FINDERS, *finders.AFTERWARDS)
    found = [inspect.getmodule(find) for find in every]
    return [one for one in found if one is not None]


@pytest.mark.parametrize("module", finder_modules(), ids=lambda module: module.__name__)
def test_each_finder_of_the_line_asks_an_engine_with_a_card(module: ModuleType) -> None:
    """A finder that is added to the line must say what it is."""
    carded = {name for one in engines() for name in code_modules(ROOT, one.modules)}
    begins = {name for one in engines() for name in one.modules}
    asked = {
        node.module
        for node in ast.walk(ast.parse(inspect.getsource(module)))
        if isinstance(node, ast.ImportFrom) and node.module is not None
    }
    # `find_in_parts` is imported by the package's name: it calls sizing, schedules and idle
    if "finops_dagster.engines.optimisation" in asked and module.__name__.endswith("workloads"):
        asked |= {"finops_dagster.engines.optimisation.sizing"}
    assert asked & begins and asked & carded


def test_parameters_are_the_constants_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A number that is typed twice is wrong in one place a year later."""
    member = recipes.RECIPES["daily"].members[0]
    forecaster = ENGINES["cost-forecaster"].parameters
    assert forecaster["members.1.rounds"] == member.rounds == 150
    assert forecaster["members.1.rate"] == member.rate
    assert ENGINES["cost-anomalies"].parameters["point_z"] == DetectionConfig().point_z
    assert ENGINES["workload-sizing"].parameters["risk_model._TREES"] == risk_model._TREES
    assert ENGINES["storage"].parameters["tiers.TIER_DAYS"] == tiers.TIER_DAYS
    was = ENGINES["idle-workloads"].parameters["idle.IDLE_CPU_SHARE"]
    assert was == idle.IDLE_CPU_SHARE
    from finops_dagster.domain.engines import constants

    monkeypatch.setattr(idle, "IDLE_CPU_SHARE", 0.5)
    assert constants(idle)["idle.IDLE_CPU_SHARE"] == 0.5 != was
