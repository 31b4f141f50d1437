"""The conformance asset: it judges each FOCUS delivery, stops nothing, and says when it cannot.

The rules themselves are held in tests/unit/quality.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.landing.conformance import CHARGES, CHECK, KEY, build_conformance
from finops_dagster.defs.shared import clocks
from finops_dagster.domain.periods import month_start
from finops_dagster.settings import Settings

RULES: dict[str, Any] = {
    "Details": {"FOCUSVersion": "9.9"},
    "ApplicabilityCriteria": {"NAMING": {"Description": "It gives names"}},
    "CheckFunctions": {},
    "ModelDatasets": {},
    "ModelRules": {
        f"{column}-C-001-M": {
            "Function": "Nullability",
            "Reference": column,
            "EntityType": "Column",
            "Type": "Static",
            "ApplicabilityCriteria": ["NAMING"] if column == "ChargeClass" else [],
            "ValidationCriteria": {
                "MustSatisfy": f"{column} MUST NOT be null.",
                "Keyword": "MUST NOT",
                "Requirement": {
                    "CheckFunction": "CheckNotValue",
                    "ColumnName": column,
                    "Value": None,
                },
                "Condition": {},
            },
        }
        for column in ("BilledCost", "ChargeClass")
    },
}


def materialised(
    settings: Settings, instance: dg.DagsterInstance | None = None
) -> dg.ExecuteInProcessResult:
    """The newest month of the asset, in a run of its own."""
    day = settings.decided_day()
    time = clocks(settings.start, day, fixed=settings.as_of is not None)
    asset = build_conformance(time, judged=settings.focus_rules is not None)

    @dg.asset(key=CHARGES, partitions_def=time.months)
    def landed() -> None:
        """Stands for the landed charges: a run of both is one of the daily line."""

    return dg.materialize(
        [landed, asset],
        partition_key=month_start(day).isoformat(),
        resources={"estate": Estate(settings)},
        instance=instance or dg.DagsterInstance.ephemeral(),
    )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (found,) = result.asset_materializations_for_node(KEY.to_python_identifier())
    return dict(found.metadata)


@pytest.fixture
def ruled(settings: Settings, tmp_path: Path) -> Settings:
    """The estate with a model of two rules; one of them every ordinary charge breaks."""
    model = tmp_path / "model.json"
    model.write_text(json.dumps(RULES), encoding="utf-8")
    sources = tuple(
        one.model_copy(update={"supports": {"NAMING": True}}) for one in settings.billing
    )
    return settings.model_copy(
        update={"focus_rules": model, "billing": sources, "state_dir": tmp_path / "state"}
    )  # fmt: skip


def test_without_a_model_it_says_where_one_is_had(settings: Settings) -> None:
    """A green report of nothing judged would be taken for conformance."""
    result = materialised(settings)
    assert "focus_rules" in str(shown(result)["not_judged"])
    assert "releases" in str(shown(result)["not_judged"])
    assert result.get_asset_check_evaluations() == []


def test_each_delivery_is_judged_and_its_page_linked(ruled: Settings) -> None:
    """Who looks at a failing rule must get from the asset to the rows that break it."""
    result = materialised(ruled)
    assert result.success, "a bill that breaks a rule of form must not stop the line"
    metadata = shown(result)
    assert metadata["rules_failed"].value == len(ruled.billing)
    (check,) = result.get_asset_check_evaluations()
    assert check.check_name == CHECK and not check.passed and not check.blocking
    assert check.severity is dg.AssetCheckSeverity.WARN
    for source in ruled.billing:
        name = f"{source.name} {month_start(ruled.decided_day()).isoformat()}"
        assert "1 rules fail" in (check.description or "") and name in (check.description or "")
        address = metadata[name].value
        page = ruled.state_dir / address.removeprefix("/pages/")
        assert "ChargeClass MUST NOT be null." in page.read_text(encoding="utf-8")
        items = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
        assert {one["rule"]: one["verdict"] for one in items} == {
            "BilledCost-C-001-M": "pass",
            "ChargeClass-C-001-M": "fail",
        }


def test_what_was_judged_is_not_judged_again(ruled: Settings) -> None:
    """Work that nothing called for hides the work that something did."""
    with dg.DagsterInstance.ephemeral() as instance:
        assert shown(materialised(ruled, instance))
        again = materialised(ruled, instance)
        assert again.success
        assert again.asset_materializations_for_node(KEY.to_python_identifier()) == []
        other = ruled.model_copy(update={"focus_allowed": {"ChargeClass-C-001-M": "agreed"}})
        assert shown(materialised(other, instance))


def test_what_is_allowed_passes_with_its_reason(ruled: Settings) -> None:
    """A known deviation that stays red hides the next one."""
    reason = "charges of ours have none"
    result = materialised(
        ruled.model_copy(update={"focus_allowed": {"ChargeClass-C-001-M": reason}})
    )
    (check,) = result.get_asset_check_evaluations()
    assert check.passed
    assert any(reason in page.read_text() for page in ruled.state_dir.rglob("*.html"))
