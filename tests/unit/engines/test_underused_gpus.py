"""GPUs that are used too little: fewer of them, or a part of one."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import DeclaredResource, FindingKind, ValueLocation
from finops_dagster.engines.optimisation import FindResult, SizingConfig
from finops_dagster.engines.optimisation.gpu_declared import (
    DeclaredGpus,
    declared_gpus,
    notebooks,
)
from finops_dagster.engines.optimisation.gpu_sharing import Sharer, share
from finops_dagster.engines.optimisation.gpu_smaller import price_ratios
from finops_dagster.engines.optimisation.gpu_types import TYPES, gpu_type, model_word
from finops_dagster.engines.optimisation.gpu_use import GPU_COLUMNS
from finops_dagster.engines.optimisation.ground import Declared, ground_of
from finops_dagster.engines.optimisation.underused_gpus import underused_gpus
from tests.unit.engines.estates import AS_OF, GIB, Workload, context, measurements, steady

FIELD = 'spec.template.spec.containers[name=server].resources.limits["nvidia.com/gpu"]'
A100 = "NVIDIA-A100-SXM4-80GB"
WHOLE = 80_000.0
"""MiB used and free of one, somewhat less than 80 GB."""


def serves(name: str, percent: float, **changes: Any) -> Workload:
    """A workload of one replica whose GPUs are busy for so many percent of the time."""
    given_: dict[str, Any] = {
        "cpu": steady(0.5, 0.01, 1),
        "memory": steady(GIB, 1, 2),
        "replicas": 1,
        "gpu": np.full(14 * 288, percent),
    }
    return Workload(f"Deployment/ml/{name}", **(given_ | changes))


def rows(workloads: list[Workload], gpus: float = 1, used: float = 8_000.0) -> pd.DataFrame:
    """Measurements with `gpus` and `used` MiB of each; what is free is the rest."""
    frame = measurements(workloads)
    return frame.assign(
        gpu_requests=gpus * frame["replicas"],
        gpus_measured=gpus * frame["replicas"],
        gpu_memory_used_mib=used * gpus * frame["replicas"],
        gpu_memory_free_mib=(WHOLE - used) * gpus * frame["replicas"],
        gpu_memory_device_max_mib=used,
        gpu_utilisation_device_p95_percent=np.nan,
    )


def paid(workloads: list[Workload], gpus: float = 1) -> pd.DataFrame:
    """2 USD a GPU-hour on each of 14 days."""
    found = [
        (
            w.resource, "gpu", "USD", pd.Timestamp(AS_OF - timedelta(days=offset)),
            Decimal(str(24 * gpus * w.replicas)), Decimal(str(48 * gpus * w.replicas)), Decimal(2),
        )
        for w in workloads
        for offset in range(14)
    ]  # fmt: skip
    columns = ["resource", "meter", "currency", "day", "quantity", "cost", "unit_price"]
    return pd.DataFrame(found, columns=columns)


def declares(workloads: list[Workload], count: int = 1, model: str = A100, **more: Any) -> Any:
    """Each declares so many GPUs of a model, in one value."""
    value = Declared(FIELD, str(count), Decimal(count))
    one = replace(DeclaredGpus(count, (value,), model), **more)
    return {w.resource: one for w in workloads}


def judged(
    workloads: list[Workload],
    frame: pd.DataFrame,
    declared: dict[str, DeclaredGpus],
    prices: pd.DataFrame | None = None,
    ratios: dict[str, dict[str, float]] | None = None,
    **changes: object,
) -> FindResult:
    """What is found of these workloads."""
    config = SizingConfig(max_change_share=0.6)
    cost = paid(workloads) if prices is None else prices
    ground = ground_of(frame, cost, context(workloads, **changes), AS_OF, config, GPU_COLUMNS)
    return underused_gpus(ground, declared, ratios)


def four(percent: float = 20.0, used: float = 8_000.0, **more: Any) -> FindResult:
    """A workload that has four GPUs."""
    one = [serves("four", percent)]
    return judged(one, rows(one, 4, used), declares(one, 4, **more), paid(one, 4))


def test_fewer_gpus_are_asked_for_at_the_price_paid() -> None:
    """Four GPUs that do the work of one cost four times as much."""
    (finding,) = four().findings
    # 20 % x 1.2 x 4 = 96 % of one; 8,000 MiB x 4 x 1.15 = 36,800 of 80,000: one would do,
    # but at most 60 % is cut at once: 1.6 are left, and programs halve: two
    assert (finding.field, finding.current, finding.proposed) == (FIELD, "4", "2")
    # 4 GPUs x 24 h x 2 USD x 365 / 12 days, half of it
    assert finding.saving_per_month.mid == Decimal("2920.0000000000")
    assert finding.saving_per_month.low < finding.saving_per_month.mid
    assert finding.kind is FindingKind.UNDERUSED_GPU
    assert finding.evidence.figures["gpus_needed"] == 2
    assert "expects so many" in finding.wrong_if


def test_gpus_that_are_needed_yield_nothing_at_all() -> None:
    """A false alarm costs a reviewer's trust."""
    assert four(85.0) == FindResult(findings=[], abstained=[])
    # memory takes all four, however little they work
    assert four(20.0, 68_000.0) == FindResult(findings=[], abstained=[])


def test_one_busy_interval_is_enough_to_keep_them() -> None:
    """A load test or a campaign is a peak that a quantile does not see."""
    one = [serves("four", 20.0)]
    one[0].gpu[1000] = 97.0  # type: ignore[index]
    result = judged(one, rows(one, 4), declares(one, 4), paid(one, 4))
    assert result.findings == []


def test_the_busiest_gpu_counts_not_their_mean() -> None:
    """One that works while three wait is not a fleet that works a quarter of the time."""
    one = [serves("four", 20.0)]
    frame = rows(one, 4).assign(gpu_utilisation_device_p95_percent=80.0)
    assert judged(one, frame, declares(one, 4), paid(one, 4)).findings == []


def test_a_program_that_is_told_how_many_there_are_is_not_edited() -> None:
    """torchrun with four processes on two GPUs does not start."""
    (finding,) = four(counted="nproc_per_node").findings
    assert (finding.field, finding.proposed) == ("", "")
    assert yaml.safe_load(finding.suggestion) == {"resources": {"limits": {"nvidia.com/gpu": 2}}}


def test_of_two_values_that_must_be_equal_neither_is_edited() -> None:
    """An API server refuses a GPU request that is not its limit."""
    twice = tuple(Declared(f"{FIELD}{n}", "4", Decimal(4)) for n in range(2))
    (finding,) = four(values=twice).findings
    assert finding.field == ""


def test_memory_that_is_not_measured_is_not_guessed() -> None:
    """A model that does not fit ends at its first request."""
    one = [serves("four", 20.0)]
    frame = rows(one, 4).drop(columns=["gpu_memory_used_mib", "gpu_memory_device_max_mib"])
    result = judged(one, frame, declares(one, 4), paid(one, 4))
    assert result.findings == []
    assert "memory fits them is not measured" in result.abstained[0].reason


PAIR = [serves("a", 10.0), serves("b", 25.0)]


def test_two_that_fit_parts_of_one_gpu_share_it() -> None:
    """Two A100 for what one does: each keeps its own slices, so neither disturbs the other."""
    result = judged(PAIR, rows(PAIR), declares(PAIR))
    assert result.abstained == []
    a, b = sorted(result.findings, key=lambda f: f.resource)
    # a: 10 x 1.2 = 12 % fits 1/7, 9,200 MiB fits 1/8 of 80 GB (9,537 MiB); b: 30 % fits 3/7
    assert yaml.safe_load(a.suggestion) == {"resources": {"limits": {"nvidia.com/mig-1g.10gb": 1}}}
    assert yaml.safe_load(b.suggestion) == {"resources": {"limits": {"nvidia.com/mig-3g.40gb": 1}}}
    # 2 GPUs become 1: each saves half of 24 h x 2 USD x 365 / 12
    assert a.saving_per_month.mid == b.saving_per_month.mid == Decimal("730.0000000000")
    assert a.field == a.proposed == ""
    assert "Deployment/ml/b" in a.reason
    assert a.environment == "production"


def test_a_part_that_nobody_else_takes_saves_nothing() -> None:
    """A GPU that is cut for one workload costs what it did."""
    alone = [PAIR[0]]
    result = judged(alone, rows(alone), declares(alone))
    assert result.findings == []
    assert "nothing is found to share" in result.abstained[0].reason


def test_environments_do_not_share_a_gpu() -> None:
    """An experiment must not stand beside production."""
    mixed = [PAIR[0], replace(PAIR[1], environment="dev")]
    assert judged(mixed, rows(mixed), declares(mixed)).findings == []


def test_development_takes_turns_on_gpus_that_cannot_be_cut() -> None:
    """Time-slicing keeps nothing apart: for development alone."""
    dev = [replace(one, environment="dev") for one in PAIR]
    frame = rows(dev).assign(gpu_memory_free_mib=15_000.0)
    result = judged(dev, frame, declares(dev, model="nvidia-l4"))
    assert len(result.findings) == 2
    told = yaml.safe_load(result.findings[0].suggestion)
    assert told["sharing"]["timeSlicing"]["resources"] == [
        {"name": "nvidia.com/gpu", "replicas": 2}
    ]
    (first, _) = judged(PAIR, frame, declares(PAIR, model="nvidia-l4")).abstained
    assert "cannot be partitioned" in first.reason


@pytest.mark.parametrize(
    ("model", "changes", "reason"),
    [
        ("", {}, "which model it is, is not known"),
        ("A100", {"gpu_memory_used_mib": np.nan, "gpu_memory_device_max_mib": np.nan},
         "GPU memory is not measured"),
        (A100, {"gpus_measured": 0.0}, "not all of them are measured"),
    ],
)  # fmt: skip
def test_what_is_not_known_is_said(model: str, changes: dict[str, float], reason: str) -> None:
    """A guess at a model or at memory is a broken workload."""
    result = judged(PAIR, rows(PAIR).assign(**changes), declares(PAIR, model=model))
    assert result.findings == []
    assert {a.subject for a in result.abstained} == {w.resource for w in PAIR}
    assert all(reason in a.reason for a in result.abstained)


def test_no_price_short_history_and_a_scaler_are_said() -> None:
    """A saving that nobody can check, or a replica count that something else sets."""
    nothing = paid(PAIR).iloc[:0]
    assert (
        "no price really paid"
        in judged(PAIR, rows(PAIR), declares(PAIR), nothing).abstained[0].reason
    )
    managed = {w.resource: "HorizontalPodAutoscaler/ml/x" for w in PAIR}
    told = judged(PAIR, rows(PAIR), declares(PAIR), managed=managed)
    assert "sets its scale" in told.abstained[0].reason
    frame = rows(PAIR)
    late = frame.loc[frame["time"] >= pd.Timestamp(AS_OF - timedelta(days=2), tz="UTC")]
    assert "days only" in judged(PAIR, late, declares(PAIR)).abstained[0].reason


def test_idle_gpus_jobs_and_slices_are_not_judged_here() -> None:
    """Idle ones are told once; a job was asked to be fast; a slice is a part already."""
    idle = [serves("x", 0.5), serves("y", 0.5)]
    jobs = [replace(one, resource=one.resource.replace("Deployment", "PyTorchJob")) for one in PAIR]
    for workloads, frame in (
        (idle, rows(idle)), (jobs, rows(jobs)), (PAIR, rows(PAIR, 3 / 7)),
    ):  # fmt: skip
        assert judged(workloads, frame, declares(workloads)) == FindResult([], [])


def test_what_comes_after_as_of_and_the_order_of_rows_change_nothing() -> None:
    """A past day decided again must not know what followed."""
    frame = rows(PAIR)
    later = frame.assign(time=frame["time"] + timedelta(days=14), gpu_utilisation_percent=100.0)
    mixed = pd.concat([later, frame, frame.iloc[:50]]).sample(frac=1, random_state=3)
    assert judged(PAIR, mixed, declares(PAIR)) == judged(PAIR, frame, declares(PAIR))


def test_impossible_numbers_are_not_use() -> None:
    """An exporter's overflow must not read as an idle or a busy GPU."""
    frame = rows(PAIR)
    frame.loc[::7, "gpu_utilisation_percent"] = np.inf
    frame.loc[::11, "gpu_memory_used_mib"] = -1.0
    frame.loc[::13, "gpu_utilisation_percent"] = np.nan
    assert len(judged(PAIR, frame, declares(PAIR)).findings) == 2
    empty = rows(PAIR).iloc[:0]
    assert judged(PAIR, empty, declares(PAIR)) == FindResult([], [])


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.sampled_from([(n, m) for one in TYPES for p in one.parts
                             for n, m in [(p.compute / one.compute_slices,
                                           p.memory / one.memory_slices)]]),
        ),
        max_size=12,
    )
)  # fmt: skip
@settings(max_examples=80, deadline=None)
def test_sharing_never_needs_more_nor_less_than_is_possible(
    drawn: list[tuple[int, tuple[float, float]]],
) -> None:
    """A GPU that holds more than it has is a workload that does not start."""
    sharers = [Sharer(f"r{n}", "g", count, size, "p") for n, (count, size) in enumerate(drawn)]
    found = share(sharers)
    assert len(found) == len(sharers)
    for one in found:
        assert 0 <= one.freed < 1
        assert one.after <= one.before
        for part in (0, 1):
            assert sum(s.replicas * s.size[part] for s in sharers) <= one.after + 1e-6
        assert one.after >= max(s.replicas for s in sharers)


def test_a_cheaper_model_is_told_where_nobody_shares() -> None:
    """An A100 that answers a request a minute costs three times an L4 that would do."""
    one = [serves("a", 10.0)]
    other = DeclaredGpus(1, (), "NVIDIA-L4", "nvidia.com/gpu.product")
    declared = declares(one, model_key="nvidia.com/gpu.product") | {"Deployment/ml/z": other}
    ratios = {one[0].resource: {"l4": 0.25, "a10": 0.4, "t4": 0.1, "a100": 0.5}}
    (finding,) = judged(one, rows(one), declared, ratios=ratios).findings
    # 12 % of an A100 80GB: 2,039 / 300 of its memory's speed is 81.6 % of an L4; T4 has no BF16
    assert finding.evidence.figures["gpu_busy_percent_after"] == pytest.approx(81.56, rel=1e-4)
    assert float(finding.saving_per_month.mid) == pytest.approx(24 * 2 * 365 / 12 * 0.75)
    assert yaml.safe_load(finding.suggestion) == {
        "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-L4"}
    }
    assert finding.field == ""
    # 15 % x 1.2 x 6.8 is more than an L4 does, and an A10 does it
    busier = [serves("a", 15.0)]
    (finding,) = judged(busier, rows(busier), declared, ratios=ratios).findings
    assert "A10 24GB would be busy" in finding.reason
    full = judged(one, rows(one, used=22_000.0), declared, ratios=ratios)
    assert full.findings == []
    dear = judged(one, rows(one), declared, ratios={one[0].resource: {"l4": 0.95}})
    assert dear.findings == []


def test_prices_of_models_are_those_of_the_same_unit_region_and_currency() -> None:
    """A price of another region is not what a move would cost."""

    def charged(meter: str, cost: float, days: int = 5, **more: Any) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {
                    "sku_meter": meter, "billing_currency": "USD", "charge_category": "Usage",
                    "spot": False, "charge_date": AS_OF - timedelta(days=n),
                    "effective_cost": cost, "consumed_quantity": 1.0,
                }
                | more
                for n in range(days)
            ]
        )  # fmt: skip

    bill = pd.concat(
        [
            charged("gpu a100 hours eu", 4.0),
            charged("gpu l4 hours eu", 1.0),
            charged("gpu l4 hours eu", 90.0, charge_date=AS_OF + timedelta(days=1)),
            charged("gpu l4 hours eu", 0.2, spot=True),
            charged("gpu t4 hours us", 0.5),
            charged("gpu a10 hours eu", 0.5, billing_currency="EUR"),
            charged("gpu a30 hours eu", 0.5, days=2),
            charged("cpu", 0.5),
        ],
        ignore_index=True,
    )
    own = paid(PAIR).assign(meter="gpu a100 hours eu")
    assert price_ratios(bill, own, AS_OF) == {w.resource: {"l4": 0.5} for w in PAIR}
    assert price_ratios(bill, own.assign(meter="gpu p3.2xlarge hours eu"), AS_OF) == {}
    assert price_ratios(bill.iloc[:0], own.iloc[:0], AS_OF) == {}


def test_a_model_is_known_for_certain_or_not_at_all() -> None:
    """An A100 of 40 GB taken for one of 80 would promise memory that is not there."""
    assert gpu_type("NVIDIA-A100-SXM4-80GB").name == "A100 80GB"  # type: ignore[union-attr]
    assert gpu_type("nvidia-tesla-a100").name == "A100 40GB"  # type: ignore[union-attr]
    assert gpu_type("nvidia-a100-80gb").name == "A100 80GB"  # type: ignore[union-attr]
    assert gpu_type("a100") is None
    assert gpu_type("a100", 40_500.0).name == "A100 40GB"  # type: ignore[union-attr]
    assert gpu_type("a100", 60_000.0) is None
    assert gpu_type("nvidia-h100-80gb", 81_559.0).name == "H100 80GB"  # type: ignore[union-attr]
    assert gpu_type("NVIDIA-L4").name == "L4 24GB"  # type: ignore[union-attr]
    assert gpu_type("NVIDIA-L40S").name == "L40S 48GB"  # type: ignore[union-attr]
    assert gpu_type("a100 or h100") is None
    assert model_word("p4d.24xlarge") == ""
    assert gpu_type("") is None


def manifest(name: str, **pod: Any) -> DeclaredResource:
    """A declared workload with this pod spec."""
    kind = name.partition("/")[0]
    content = {"kind": kind, "spec": {"template": {"spec": pod}}}
    return DeclaredResource(
        resource=name, api_version="v1", labels={}, annotations={}, file="a.yaml", document=0,
        manifest=json.dumps(content),
    )  # fmt: skip


def located(resource: str, field: str, value: str) -> ValueLocation:
    """A declared value."""
    return ValueLocation(
        resource=resource, field=field, value=value, file="a.yaml", document=0, start_byte=0,
        end_byte=1, editable=True, reason="",
    )  # fmt: skip


def test_what_is_declared_of_gpus_is_read_from_the_manifest() -> None:
    """A count of the wrong container, or a model of no node, is a wrong recommendation."""
    name = "Deployment/ml/a"
    gpu = manifest(
        name,
        nodeSelector={"nvidia.com/gpu.product": A100, "zone": "t4"},
        containers=[{"name": "server", "args": ["--tensor-parallel-size=4"]}],
    )
    requests = FIELD.replace("limits", "requests")
    locations = [
        located(name, FIELD, "4"),
        located(name, requests, "4"),
        located(name, FIELD.replace("containers[name=server]", "initContainers[0]"), "1"),
    ]
    found = declared_gpus({name: gpu}, locations)[name]
    assert (found.count, len(found.values), found.model) == (4, 2, A100)
    assert found.counted == "tensor-parallel"
    odd = declared_gpus({name: gpu}, [located(name, FIELD, "4"), located(name, requests, "2")])
    assert odd[name].count is None
    assert declared_gpus({}, [located(name, FIELD, "many")])[name].count is None
    assert declared_gpus({}, []) == {}


def test_notebooks_are_told_by_kind_label_or_published_image_and_never_by_name() -> None:
    """A service called notebook-api serves customers."""
    resources = {
        "Notebook/ml/ada": manifest("Notebook/ml/ada"),
        "Deployment/ml/notebook-api": manifest("Deployment/ml/notebook-api"),
        "Deployment/ml/lab": manifest(
            "Deployment/ml/lab", containers=[{"image": "quay.io/jupyter/scipy-notebook:1"}]
        ),
    }
    labels = pd.DataFrame(
        [
            ("StatefulSet/ml/bob", "notebook_name", "bob"),
            ("StatefulSet/ml/hub", "component", "hub"),
            ("StatefulSet/ml/eve", "component", "singleuser-server"),
        ],
        columns=["resource", "label", "label_value"],
    )
    assert notebooks(resources, labels) == {
        "Notebook/ml/ada", "StatefulSet/ml/ada", "StatefulSet/ml/bob", "StatefulSet/ml/eve",
        "Deployment/ml/lab",
    }  # fmt: skip
