"""Finding waste on small estates whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.domain.quantities import parse_quantity
from finops_dagster.engines.optimisation import (
    FindResult,
    SizingConfig,
    find,
    propose,
    unit_prices,
)
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    prices,
    steady,
    times,
    volume,
)

CONFIG = SizingConfig(max_change_share=0.6)
BIG = Workload("Deployment/shop/big", steady(0.3, 0.02, 1), steady(0.3 * GIB, 0.01 * GIB, 2))
RIGHT = Workload("Deployment/shop/right", steady(0.7, 0.03, 3), steady(0.8 * GIB, 0.01 * GIB, 4))


def judged(workloads: list[Workload], **changes: object) -> FindResult:
    """Find on an estate of these workloads alone."""
    return find(
        measurements(workloads), prices(workloads), context(workloads, **changes), AS_OF, CONFIG
    )


def only(result: FindResult, kind: FindingKind) -> Finding:
    """The one finding of a kind."""
    (finding,) = [f for f in result.findings if f.kind is kind]
    return finding


def test_an_oversized_request_is_cut_to_its_rule_at_the_price_paid() -> None:
    """A wrong size starves a workload; a wrong price promises money that never comes."""
    result = judged([BIG])
    finding = only(result, FindingKind.RIGHTSIZE_CPU)
    expected = np.quantile(BIG.cpu, 0.995) * 1.2
    proposed = float(parse_quantity(finding.proposed))
    assert expected <= proposed <= expected + 0.011
    # 2 replicas, 730 hours, 0.04 a core-hour
    saving = (1 - proposed) * 2 * 730 * 0.04
    assert float(finding.saving_per_month.mid) == pytest.approx(saving, rel=1e-9)
    assert finding.saving_per_month.low < finding.saving_per_month.mid
    assert finding.field == "spec.template.spec.containers[name=server].resources.requests.cpu"
    assert finding.current == "1"
    assert "no learnt risk model" in finding.engine
    assert finding.carbon_kg_per_month.low == 0 < finding.carbon_kg_per_month.mid


def test_a_workload_that_is_right_yields_nothing_at_all() -> None:
    """A false alarm costs a reviewer's trust; an abstention on it would be noise."""
    result = judged([RIGHT])
    assert result.findings == []
    assert result.abstained == []


def test_a_cut_goes_no_deeper_than_may_be_done_at_once() -> None:
    """One wrong reading must not take away nearly everything."""
    tiny = replace(BIG, cpu=steady(0.02, 0.001, 5))
    finding = only(judged([tiny]), FindingKind.RIGHTSIZE_CPU)
    assert parse_quantity(finding.proposed) == Decimal("0.4")
    assert "at most 60%" in finding.reason


def test_a_request_used_up_is_raised_at_a_cost() -> None:
    """A workload that is starved must not be told it is right because raising saves nothing."""
    short = replace(BIG, cpu=steady(1.3, 0.05, 6), memory=steady(1.2 * GIB, 0.01 * GIB, 7))
    result = judged([short])
    cpu = only(result, FindingKind.UNDERPROVISIONED_CPU)
    memory = only(result, FindingKind.UNDERPROVISIONED_MEMORY)
    assert parse_quantity(cpu.proposed) > 1
    assert parse_quantity(memory.proposed) > GIB
    assert cpu.saving_per_month.mid < 0
    assert cpu.carbon_kg_per_month.mid < 0


def test_a_request_is_never_raised_above_its_limit() -> None:
    """The API server refuses such a manifest, and the whole application stops syncing."""
    short = replace(BIG, memory=steady(1.2 * GIB, 0.01 * GIB, 7), memory_limit="1300Mi")
    finding = only(judged([short]), FindingKind.UNDERPROVISIONED_MEMORY)
    assert finding.proposed == "1300Mi"
    tight = only(judged([replace(short, memory_limit="1Gi")]), FindingKind.UNDERPROVISIONED_MEMORY)
    assert tight.field == tight.proposed == ""
    assert "by hand" in tight.reason


def test_use_that_is_changing_is_not_sized_on_its_past() -> None:
    """A launch in the last days would be cut to what it used before."""
    grows = replace(BIG, cpu=np.where(times() < times()[10 * 288], 0.05, 0.45))
    result = judged([grows])
    assert FindingKind.RIGHTSIZE_CPU not in {f.kind for f in result.findings}
    assert any("its use is changing" in a.reason for a in result.abstained)


def test_what_comes_after_as_of_changes_nothing() -> None:
    """A past day decided again must not know what followed."""
    early = AS_OF - timedelta(days=3)
    workloads = [replace(BIG, days=17), replace(RIGHT, days=17)]
    for w in workloads:
        w.cpu, w.memory = np.resize(w.cpu, 17 * 288), np.resize(w.memory, 17 * 288)
    rows, cost = measurements(workloads), prices(workloads, days=17)
    changed = rows.copy()
    after = changed["time"] >= pd.Timestamp(early + timedelta(days=1), tz="UTC")
    changed.loc[after, ["cpu_cores", "memory_working_set_bytes"]] *= 9
    dearer = cost.copy()
    dearer.loc[dearer["day"] > pd.Timestamp(early), "cost"] *= 5
    where = context(workloads)
    assert find(rows, cost, where, early) == find(changed, dearer, where, early)
    assert find(rows, cost, where, AS_OF) != find(changed, dearer, where, AS_OF)


@pytest.mark.parametrize(
    ("workload", "changes", "reason"),
    [
        (replace(BIG, cpu=BIG.cpu[: 5 * 288], memory=BIG.memory[: 5 * 288], days=5), {},
         "5.0 days, 7 are needed"),
        (replace(BIG, request_cpu="lots"), {}, "not a positive quantity"),
        (replace(BIG, request_cpu="0"), {}, "not a positive quantity"),
        (replace(BIG, request_cpu="2"), {}, "not yet the same"),
        (BIG, {"managed": {BIG.resource: "HorizontalPodAutoscaler/shop/big"}}, "sets its scale"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_said(
    workload: Workload, changes: dict[str, object], reason: str
) -> None:
    """A silent skip reads as `all good`."""
    result = judged([workload], **changes)
    assert any(reason in a.reason for a in result.abstained), result.abstained
    assert FindingKind.RIGHTSIZE_CPU not in {f.kind for f in result.findings}


def test_a_workload_without_charges_of_its_own_has_no_saving() -> None:
    """A list price instead would promise what a discount has already taken."""
    result = find(measurements([BIG]), prices([RIGHT]), context([BIG]), AS_OF)
    assert result.findings == []
    assert any("no price really paid is known" in a.reason for a in result.abstained)


def test_unknown_intensity_is_said_and_counts_no_carbon() -> None:
    """A default grid would invent an avoided emission."""
    none = pd.DataFrame(columns=["resource", "gco2e_per_kwh"])
    result = judged([BIG], intensity=none)
    assert only(result, FindingKind.RIGHTSIZE_CPU).carbon_kg_per_month.high == 0
    assert [a.subject for a in result.abstained] == [f"{BIG.resource} carbon"]


def test_an_idle_workload_is_stopped_and_not_sized() -> None:
    """Two findings on one machine would promise its cost twice."""
    idle = Workload(
        "Deployment/shop/idle", steady(0.002, 0.0001, 8), steady(0.1 * GIB, 0.001 * GIB, 9),
        network=20.0,
    )  # fmt: skip
    result = judged([idle])
    (finding,) = result.findings
    assert finding.kind is FindingKind.IDLE_WORKLOAD
    assert (finding.field, finding.current, finding.proposed) == ("spec.replicas", "2", "0")
    cost = (1 * 0.04 + 1 * 0.005) * 2 * 24 * 365 / 12
    assert float(finding.saving_per_month.mid) == pytest.approx(cost)


@pytest.mark.parametrize("network", [np.nan, 40_000.0])
def test_quiet_cpu_alone_is_not_idle(network: float) -> None:
    """A proxy that waits for requests, or one with no network measured, must not be stopped."""
    quiet = Workload(
        "Deployment/shop/quiet", steady(0.002, 0.0001, 8), steady(0.1 * GIB, 0.001 * GIB, 9),
        network=network,
    )  # fmt: skip
    assert FindingKind.IDLE_WORKLOAD not in {f.kind for f in judged([quiet]).findings}


def test_one_busy_block_makes_a_gpu_not_idle() -> None:
    """Stopping a GPU that trains at night loses a night's training."""
    duty = np.full(14 * 288, 0.5)
    gpu = replace(RIGHT, resource="Deployment/ml/gpu", gpu=duty)
    finding = only(judged([gpu]), FindingKind.IDLE_GPU)
    assert finding.carbon_kg_per_month.mid > 0
    busy = duty.copy()
    busy[5 * 288 : 5 * 288 + 48] = 60
    assert FindingKind.IDLE_GPU not in {f.kind for f in judged([replace(gpu, gpu=busy)]).findings}


def test_gpus_that_were_busy_an_hour_ago_are_not_stopped_today() -> None:
    """Somebody who came back after two weeks' leave would lose the work of the morning."""
    idle = np.full(14 * 288, 0.5)
    gpu = replace(BIG, gpu=idle)
    finding = only(judged([gpu]), FindingKind.IDLE_GPU)
    assert finding.evidence.figures["hours_since_busy"] == pytest.approx(14 * 24)
    late = idle.copy()
    late[-12] = 5.0
    result = judged([replace(BIG, gpu=late)])
    assert FindingKind.IDLE_GPU not in {f.kind for f in result.findings}
    assert any("were busy 0.9 hours before" in a.reason for a in result.abstained)
    late[-12], late[-36] = 0.5, 5.0
    finding = only(judged([replace(BIG, gpu=late)]), FindingKind.IDLE_GPU)
    assert finding.evidence.figures["hours_since_busy"] == pytest.approx(35 / 12, rel=1e-5)


def test_a_notebook_that_nobody_came_back_to_is_called_so() -> None:
    """Whose notebook it is decides who is asked; a service of that name is none."""
    mine = replace(BIG, resource="Notebook/ml/ada", gpu=np.full(14 * 288, 0.5))
    told = only(judged([mine], notebooks=frozenset({mine.resource})), FindingKind.IDLE_GPU)
    assert told.reason.startswith("An abandoned notebook: its GPUs were never busier")
    assert "kubeflow-resource-stopped: '2026-03-29T00:00:00Z'" in told.suggestion
    service = replace(mine, resource="Deployment/ml/notebook")
    told = only(judged([service]), FindingKind.IDLE_GPU)
    assert "notebook" not in told.reason
    assert told.suggestion == ""


def test_volumes_unmounted_or_empty_are_unused_and_full_ones_are_not() -> None:
    """A database's volume called unused is data lost."""
    names = tuple(f"PersistentVolumeClaim/shop/{n}" for n in ("full", "empty", "gone"))
    rows = pd.concat(
        [
            measurements([RIGHT]),
            volume(names[0], 60.0 * GIB, 100.0 * GIB),
            volume(names[1], 0.2 * GIB, 100.0 * GIB),
        ]
    )
    result = find(rows, prices([RIGHT], names), context([RIGHT]), AS_OF)
    assert {f.resource for f in result.findings} == set(names[1:])
    unseen = find(measurements([RIGHT]), prices([RIGHT], names[2:]), context([RIGHT]), AS_OF)
    assert unseen.findings == []
    assert "no volume of the estate is measured" in unseen.abstained[0].reason


def test_a_development_workload_asleep_at_night_is_found_and_production_is_not() -> None:
    """Production that is quiet at night must answer the first customer of the morning."""
    t = times()
    night = (t.hour < 7) | (t.hour >= 19) | (t.dayofweek >= 5)
    sleepy = replace(
        RIGHT, resource="Deployment/dev/sleepy", cpu=np.where(night, 0.01, 0.8), environment="dev"
    )
    finding = only(judged([sleepy]), FindingKind.OFF_HOURS)
    share = finding.evidence.figures["off_share_of_week"]
    assert share == pytest.approx(1 - 60 / 168, abs=0.01)
    assert "it is used on Mon-Fri 07:00-19:00 UTC" in finding.reason
    kinds = {f.kind for f in judged([replace(sleepy, environment="prod")]).findings}
    assert FindingKind.OFF_HOURS not in kinds


def test_savings_of_one_workload_are_never_above_its_cost() -> None:
    """Sizing and switching off overlap: promised together they must not exceed the bill."""
    t = times()
    night = (t.hour < 8) | (t.hour >= 17) | (t.dayofweek >= 5)
    both = replace(
        BIG, resource="Deployment/dev/both", environment="dev",
        cpu=np.where(night, 0.002, 0.1), memory=np.full(len(t), 0.2 * GIB),
    )  # fmt: skip
    result = judged([both])
    kinds = {f.kind for f in result.findings}
    assert {FindingKind.RIGHTSIZE_CPU, FindingKind.OFF_HOURS} <= kinds
    total = sum(f.saving_per_month.mid for f in result.findings)
    assert 0 < total <= Decimal((1 * 0.04 + 1 * 0.005) * 2 * 730)


def test_shadow_workloads_are_told_unless_they_may_be_declared() -> None:
    """A chart's workload called a shadow makes the finding worthless; a real shadow costs."""
    shadow = replace(RIGHT, resource="Deployment/lab/llm", declared=False)
    finding = only(judged([shadow, RIGHT]), FindingKind.UNDECLARED_WORKLOAD)
    assert finding.saving_per_month.mid == 0 < finding.saving_per_month.high
    result = judged([shadow, RIGHT], unsure={shadow.resource: "A chart is installed there."})
    assert result.findings == []
    assert "A chart is installed there." in result.abstained[0].reason
    assert judged([shadow, RIGHT], undeclared=frozenset()).findings == []


def test_replicas_unknown_are_told_by_requests() -> None:
    """A DaemonSet has no replica count: its total use must not be taken for one pod's."""
    daemon = replace(BIG, resource="DaemonSet/shop/agent", replicas=5)
    rows = measurements([daemon]).assign(replicas=np.nan)
    result = find(rows, prices([daemon]), context([daemon]), AS_OF, CONFIG)
    finding = only(result, FindingKind.RIGHTSIZE_CPU)
    assert finding.evidence.figures["replicas"] == 5
    assert float(parse_quantity(finding.proposed)) < 0.5


def test_impossible_numbers_are_not_use() -> None:
    """A counter reset (negative) or an overflow (infinite) must not set a size."""
    rows = measurements([BIG])
    rows.loc[10, "cpu_cores"] = -5.0
    rows.loc[20, "cpu_cores"] = np.inf
    result = find(rows, prices([BIG]), context([BIG]), AS_OF)
    finding = only(result, FindingKind.RIGHTSIZE_CPU)
    assert finding.evidence.figures["max_cores"] < 0.5
    assert finding.confidence < 1


def test_unit_prices_are_net_and_by_currency() -> None:
    """List prices, or two currencies in one quotient, would misprice every saving."""
    day = pd.Timestamp(AS_OF)
    rows = pd.DataFrame(
        [
            ("Deployment/a/b", "vCPU-hours", "vCPU-Hours", "USD", "Usage", day, "24", "0.48"),
            ("Deployment/a/b", "vCPU-hours", "vCPU-Hours", "USD", "Usage", day, "24", "0.24"),
            ("Deployment/a/b", "vCPU-hours", "vCPU-Hours", "EUR", "Usage", day, "10", "1"),
            ("Deployment/a/b", "GiB-hours", "GiB-Hours", "USD", "Tax", day, "24", "9"),
            (None, "vCPU-hours", "vCPU-Hours", "USD", "Usage", day, "24", "9"),
        ],
        columns=[
            "resource", "sku_meter", "consumed_unit", "billing_currency", "charge_category",
            "charge_date", "consumed_quantity", "effective_cost",
        ],
    )  # fmt: skip
    rows["consumed_quantity"] = rows["consumed_quantity"].map(Decimal)
    rows["effective_cost"] = rows["effective_cost"].map(Decimal)
    out = unit_prices(rows, AS_OF)
    got = {(r.meter, r.currency): r.unit_price for r in out.itertuples()}
    assert got == {("cpu", "USD"): Decimal("0.015"), ("cpu", "EUR"): Decimal("0.1")}


def test_proposals_are_the_findings_with_an_edit_and_the_rest_has_reasons() -> None:
    """A finding dropped without a reason is a silent nothing."""
    idle = Workload(
        "Deployment/shop/idle", steady(0.002, 0.0001, 8), steady(0.1 * GIB, 0.001 * GIB, 9),
        network=20.0,
    )  # fmt: skip
    shadow = replace(RIGHT, resource="Deployment/lab/llm", declared=False)
    found = judged([BIG, idle, shadow, RIGHT]).findings
    proposals, left = propose(
        found, reconstructed=False, publication_id="pub-1", min_saving=Decimal(20),
        min_confidence=0.7, as_of=AS_OF,
    )  # fmt: skip
    assert {p.kind for p in proposals} == {FindingKind.RIGHTSIZE_CPU, FindingKind.IDLE_WORKLOAD}
    assert len(proposals) + len(left) == len(found)
    assert len({p.key for p in proposals}) == len(proposals)
    assert all(p.finding_id in {f.id for f in found} for p in proposals)
    none, reasons = propose(
        found, reconstructed=False, publication_id="pub-1", min_saving=Decimal(20),
        min_confidence=1.01, as_of=AS_OF,
    )  # fmt: skip
    assert none == []
    assert any("of the window" in a.reason for a in reasons)


def test_a_stop_takes_precedence_over_sizing_the_same_workload() -> None:
    """Two pull requests on one workload would fight, and promise one saving twice."""
    size = only(judged([BIG]), FindingKind.RIGHTSIZE_CPU)
    stop = size.model_copy(
        update={"kind": FindingKind.IDLE_WORKLOAD, "field": "spec.replicas", "proposed": "0"}
    )
    proposals, left = propose(
        [size, stop], reconstructed=True, publication_id="pub-1", min_saving=Decimal(5),
        min_confidence=0.7, as_of=AS_OF,
    )  # fmt: skip
    assert [p.kind for p in proposals] == [FindingKind.IDLE_WORKLOAD]
    assert proposals[0].reconstructed
    assert "stopped" in left[0].reason


def test_the_history_setting_bounds_the_evidence() -> None:
    """A peak of a month ago must not keep a request up when the setting says two weeks."""
    long = replace(BIG, days=28, cpu=np.r_[np.full(14 * 288, 0.9), BIG.cpu],
                   memory=np.r_[BIG.memory, BIG.memory])  # fmt: skip
    args = (measurements([long]), prices([long], days=28), context([long]), AS_OF)
    assert FindingKind.RIGHTSIZE_CPU in {f.kind for f in find(*args).findings}
    wide = find(*args, SizingConfig(history_days=28))
    assert FindingKind.RIGHTSIZE_CPU not in {f.kind for f in wide.findings}


def test_one_name_in_two_clusters_is_not_judged_as_one_workload() -> None:
    """The smaller cluster's use would size the larger one's requests."""
    there = measurements([BIG]).assign(cluster="other")
    rows = pd.concat([measurements([BIG]), there])
    result = find(rows, prices([BIG]), context([BIG]), AS_OF)
    assert result.findings == []
    assert "clusters main, other" in result.abstained[0].reason


def test_a_peak_of_last_month_forbids_a_cut_below_it() -> None:
    """A report that runs at month's end would be starved on the one day it is needed."""
    peak_day = AS_OF - timedelta(days=25)
    daily = pd.DataFrame(
        {
            "day": [peak_day, AS_OF - timedelta(days=200)],
            "resource": BIG.resource,
            "container": "server",
            "cpu_cores_p95": [1.8, 50.0],
            "memory_bytes_max": [0.2 * GIB, 50.0 * GIB],
        }
    )
    args = (measurements([BIG]), prices([BIG]), context([BIG]), AS_OF)
    kinds = {f.kind for f in find(*args, daily=daily).findings}
    assert kinds == {FindingKind.RIGHTSIZE_MEMORY}
    assert any(str(peak_day) in a.reason for a in find(*args, daily=daily).abstained)
    low = daily.assign(cpu_cores_p95=0.3)
    assert FindingKind.RIGHTSIZE_CPU in {f.kind for f in find(*args, daily=low).findings}


def test_a_workload_that_worked_last_month_is_not_idle() -> None:
    """A monthly job between two runs must not be stopped."""
    idle = Workload(
        "Deployment/shop/idle", steady(0.002, 0.0001, 8), steady(0.1 * GIB, 0.001 * GIB, 9),
        network=20.0,
    )  # fmt: skip
    daily = pd.DataFrame(
        {
            "day": [AS_OF - timedelta(days=30)],
            "resource": idle.resource,
            "container": "server",
            "cpu_cores_p95": [1.5],
            "memory_bytes_max": [GIB],
        }
    )
    result = find(measurements([idle]), prices([idle]), context([idle]), AS_OF, daily=daily)
    assert result.findings == []
    assert "worked on" in result.abstained[0].reason
