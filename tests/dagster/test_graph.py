"""What the code location is made of: stages, jobs, clocks, pools, retries, checks.

What happens when it is run is asked end to end; how it loads in test_load.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest

from finops_dagster.defs.jobs import ORDER
from finops_dagster.defs.shared import FORGE_POOL, WAREHOUSE_POOL, clocks

GATES = ("landing_gate", "audit")
LAST = "gitops/pull_requests"
ASIDE = "landing/focus_conformance"
"""Says how a bill keeps a specification: nothing is decided by it."""
CALENDAR = "warehouse/marts/dim_dates"
"""Days, for what people ask of the marts and for tools that know dbt's metrics."""
LIMITS = "warehouse/skus/machine_limits"
"""A seed that what looks for waste reads as it lies in the project."""
STAGES = ("landing", "warehouse", "publication", "allocation", "insight", "decision", "gitops")
BESIDE = "ledger"
"""What was decided and done, a day late: fed by no asset and feeding none."""
CLOCK = {
    "ingest_billing": dg.MonthlyPartitionsDefinition,
    "ingest_signals": dg.DailyPartitionsDefinition,
    "allocate": dg.MonthlyPartitionsDefinition,
    "decide": dg.DailyPartitionsDefinition,
    "publish_changes": None,
    "ledger_marts": None,
}


def nodes(graph: Any) -> dict[str, Any]:
    return {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}


def test_every_asset_tells_a_person_what_it_is(graph: Any) -> None:
    """An asset without a stage, a word or an owner is one that nobody answers for."""
    for name, node in nodes(graph).items():
        assert node.group_name in (*STAGES, BESIDE), name
        assert node.description, name
        assert node.owners, name
        assert node.kinds, name


def test_the_stages_follow_one_another(graph: Any) -> None:
    """An arrow that points back would make what was decided change what it was decided on."""
    place = {stage: number for number, stage in enumerate(STAGES)}
    for name, node in nodes(graph).items():
        for parent in node.parent_keys:
            upstream = graph.get(parent).group_name
            if BESIDE in (node.group_name, upstream):
                assert node.group_name == upstream, name
            else:
                assert place[upstream] <= place[node.group_name], f"{parent} -> {name}"


def test_pull_requests_come_last_of_all(graph: Any) -> None:
    """Whatever ran after the act could not be seen before it."""
    leaves = {
        name
        for name, node in nodes(graph).items()
        if not node.child_keys and node.group_name != BESIDE
    }
    assert leaves == {LAST, ASIDE, CALENDAR, LIMITS}


@pytest.mark.parametrize("name", ORDER)
def test_each_job_keeps_one_clock(definitions: dg.Definitions, name: str) -> None:
    """Dagster refuses a job over months and days; one over the wrong clock would not be refused."""
    found = definitions.resolve_job_def(name).partitions_def
    kind = CLOCK[name]
    assert found is None if kind is None else isinstance(found, kind)


def test_jobs_share_the_assets_among_them(definitions: dg.Definitions, graph: Any) -> None:
    """An asset in no job is never brought up to date; one in two is built twice a day."""
    held = [
        key.to_user_string()
        for name in ORDER
        for key in definitions.resolve_job_def(name).asset_layer.selected_asset_keys
    ]
    built = [name for name, node in nodes(graph).items() if node.is_materializable]
    assert sorted(held) == sorted(built)


def test_blocking_checks_are_told_of_each_partition(graph: Any) -> None:
    """Without partitions, one month's pass would hide another month's failure."""
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    gates = {spec.asset_key.to_user_string(): spec for spec in specs if spec.name in GATES}
    assert gates.keys() == {
        "landing/charges", "landing/measurements", "landing/intensities", "landing/predictions",
        "landing/labels", "landing/runs", "landing/model_versions", "landing/token_usage",
        "landing/business_metrics",
        "publication/billing_candidates", "publication/signals_candidates",
        "publication/allocation_candidates", "insight/resources", "publication/ledger",
    }  # fmt: skip
    months = [spec for spec in specs if "ingest_billing" in graph.get(spec.asset_key).tags.values()]
    assert len(months) > 10
    for spec in (*gates.values(), *months):
        assert spec.blocking
        assert spec.partitions_def == graph.get(spec.asset_key).partitions_def, spec.key


def test_dbt_tests_show_as_checks(graph: Any) -> None:
    """A test that only dbt's log knows is a test nobody sees fail."""
    checked = {key.asset_key.path[-1] for key in graph.asset_check_keys}
    marts = {
        name.rpartition("/")[2] for name in nodes(graph) if name.startswith("warehouse/marts/")
    }
    assert marts <= checked


def test_whatever_opens_the_warehouse_holds_its_pool(graph: Any) -> None:
    """DuckDB locks the whole file: two of these at once, and one of them fails."""
    for name, node in nodes(graph).items():
        built = name.startswith("warehouse/")
        if built or (name.startswith("publication/") and name.endswith("_candidates")):
            assert node.pools == {WAREHOUSE_POOL}, name
    assert nodes(graph)[LAST].pools == {FORGE_POOL}


def test_what_reads_from_elsewhere_tries_again(definitions: dg.Definitions, graph: Any) -> None:
    """One dropped connection should not cost a day."""
    elsewhere = [n for n, node in nodes(graph).items() if node.group_name == "landing"]
    for name in (*elsewhere, LAST):
        assets = definitions.resolve_assets_def(dg.AssetKey(name.split("/")))
        policy = assets.op.retry_policy
        assert policy is not None, name
        assert policy.max_retries >= 1
        assert policy.backoff is dg.Backoff.EXPONENTIAL


def test_nothing_acts_by_itself(graph: Any) -> None:
    """A condition on the act would open pull requests whenever something upstream moved."""
    for name, node in nodes(graph).items():
        assert node.automation_condition is None, name


def test_no_backfill_reaches_the_act(graph: Any) -> None:
    """A backfill of past days would open pull requests for what is long over."""
    for name, node in nodes(graph).items():
        if node.group_name == "gitops":
            assert node.partitions_def is None, name


def test_months_are_built_in_one_run(graph: Any) -> None:
    """Thirteen months as thirteen runs would start dbt thirteen times."""
    for name, node in nodes(graph).items():
        if node.group_name in ("landing", "warehouse", "publication", "allocation"):
            policy = node.backfill_policy
            assert policy is not None, name
            assert policy.policy_type.name == "SINGLE_RUN", name


def test_a_day_is_decided_on_its_own_month(graph: Any) -> None:
    """A mapping that took the last day of a month to another month would decide it on no bill."""
    day = dg.AssetKey(["insight", "publication"])
    months = dg.AssetKey(["publication", "billing"])
    mapping = graph.get_partition_mapping(day, months)
    days, billing = graph.get(day).partitions_def, graph.get(months).partitions_def
    for asked in ("2026-09-13", "2026-09-30", "2026-10-01"):
        found = mapping.get_upstream_mapped_partitions_result_for_partitions(
            days.subset_with_partition_keys([asked]), days, billing
        )
        assert list(found.partitions_subset.get_partition_keys()) == [f"{asked[:7]}-01"]


@pytest.mark.parametrize("ahead", [-30, -1, 0, 1, 40])
def test_partitions_reach_the_decided_day(ahead: int) -> None:
    """An estate with a calendar of its own may live after today; its day needs a partition."""
    last = datetime.now(UTC).date() + timedelta(days=ahead)
    made = clocks(date(2024, 1, 1), last)
    assert last.isoformat() in made.days.get_partition_keys()
    assert last.replace(day=1).isoformat() in made.months.get_partition_keys()


@pytest.mark.parametrize("ahead", [-400, -1, 0, 1, 40])
def test_an_estate_whose_day_is_fixed_has_no_partitions_after_it(ahead: int) -> None:
    """Rows of empty days up to today hide the ones that hold something."""
    last = datetime.now(UTC).date() + timedelta(days=ahead)
    made = clocks(date(2024, 1, 1), last, fixed=True)
    assert made.days.get_partition_keys()[-1] == last.isoformat()
    after = (last.replace(day=1) + timedelta(days=31)).replace(day=1)
    assert made.months.get_partition_keys()[-1] == after.isoformat()
