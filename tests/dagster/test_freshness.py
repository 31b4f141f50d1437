"""A source that stopped delivering is told of, in Dagster and the report; nothing stops for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.landing import freshness
from finops_dagster.defs.landing.assets import build_landing
from finops_dagster.defs.shared import clocks
from finops_dagster.domain.decisions import Abstained
from finops_dagster.settings import load

BILL = (
    "BilledCost,BillingAccountId,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,"
    "ChargeCategory,ChargePeriodStart,ChargePeriodEnd,EffectiveCost,ListCost\n"
    "1,1,USD,2025-05-01,2025-06-01,Usage,2025-05-01,2025-05-02,1,1\n"
)


def estate(folder: Path, hours: int) -> Estate:
    file = folder / "bills" / "billing_period=2025-05-01" / "part.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(BILL)
    (folder / "finops.yaml").write_text(
        "estate: test\nas_of: 2025-06-02\nstart: 2025-01-01\n"
        f"billing: [{{name: cloud, path: bills, max_age_hours: {hours}}}]\n"
    )
    return Estate(load(folder / "finops.yaml"))


def landed(world: Estate) -> dg.AssetCheckEvaluation:
    settings = world.settings
    assets = build_landing(clocks(settings.start, settings.decided_day()), ["charges"])
    (charges,) = (one for one in assets if one.key == dg.AssetKey(["landing", "charges"]))
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [charges],
            partition_key="2025-05-01",
            resources={"estate": world},
            instance=instance,
        )
    assert result.success
    (check,) = (
        one for one in result.get_asset_check_evaluations() if one.check_name == freshness.CHECK
    )
    return check


def test_a_late_source_is_told_with_its_reason(tmp_path: Path) -> None:
    """A bill that stopped coming looks like spend that stopped."""
    world = estate(tmp_path, 24)  # May's bill, known on 1 June; decided on 3 June at 06:00
    check = landed(world)
    assert not check.passed
    assert check.severity is dg.AssetCheckSeverity.WARN
    (told,) = world.day(world.settings.decided_day()).items("charges_late", Abstained)
    assert told.subject == "landing charges cloud"
    assert "known 54 hours ago, at 2025-06-01 00:00 UTC" in told.reason
    assert "every 24 hours" in told.reason


def test_a_source_in_time_is_not_accused(tmp_path: Path) -> None:
    """A warning that is always there is read by nobody."""
    world = estate(tmp_path, 72)
    assert landed(world).passed
    assert world.day(world.settings.decided_day()).items("charges_late", Abstained) == []


def test_a_source_that_never_came_is_late(tmp_path: Path) -> None:
    """Nothing at all is as late as can be, and has no age."""
    (told,) = freshness.late(estate(tmp_path, 72), "charges")
    assert "none was taken in" in told.reason


def test_sources_without_an_age_have_no_check(tmp_path: Path) -> None:
    """A check that nothing was asked of would pass, and say that all is fresh."""
    world = estate(tmp_path, 72)
    assert world.max_age_hours("labels") == {}
    days = clocks(world.settings.start, datetime(2025, 6, 2, tzinfo=UTC).date())
    names = {spec.name for one in build_landing(days) for spec in one.check_specs}
    assert freshness.CHECK not in names
