"""GPUs and functions read from a publication, and judged."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight import resources
from finops_dagster.defs.insight.waste.gpus import gpus
from finops_dagster.defs.insight.waste.serverless import serverless
from finops_dagster.desired_state import index_files
from finops_dagster.domain.decisions import FindingKind
from finops_dagster.engines.optimisation import FindResult
from tests.dagster.test_billed import published

AS_OF = date(2026, 3, 14)
MARCH = date(2026, 3, 1)
DAYS = [date(2026, 3, n) for n in range(1, 15)]
SKU = "'src' as source, date '2026-03-01' as billing_period"
COST = f"""
    {SKU}, d::date as charge_date, 'payer' as billing_account_id, null::varchar as sub_account_id,
    'Usage' as charge_category, 'USD' as billing_currency, 'prod' as environment, 'ml' as team,
    null::varchar as commitment_discount_status, null::varchar as service_category
"""
EVERY_DAY = "range(timestamp '2026-03-01', timestamp '2026-03-15', interval 1 day) as r (d)"
EVERY_HOUR = "range(timestamptz '2026-03-01', timestamptz '2026-03-15', interval 1 hour) as r (t)"
FUNCTION = "arn:aws:lambda:eu-west-1:1:function:resize"
FUNCTION_COSTS = f"""
    select {COST}, 'AWS' as provider_name, 'Lambda' as service_name, 'eu-west-1' as region_id,
        '{FUNCTION}' as resource_id, null::varchar as resource_name, null::varchar as resource,
        sku as sku_id, sku as sku_meter, 'GB-Seconds' as consumed_unit,
        100::double as consumed_quantity, 30::decimal(38, 20) as effective_cost
    from {EVERY_DAY}, (values ('Lambda-GB-Second')) as s (sku)
"""
FUNCTION_SKUS = f"""
    select {SKU}, 'AWS' as provider_name, null::varchar as service_category, 'Lambda' as
        service_name, 'Lambda-GB-Second' as sku_id, 'Lambda-GB-Second' as sku_meter,
        'GB-Seconds' as consumed_unit, 'serverless_compute' as usage_kind
"""
FUNCTIONS = f"""
    select t::date as day, t as time, 3600::bigint as interval_seconds, 'Function//resize' as
        resource, 'main' as cluster, 'resize' as name, 1000::double as invocations,
        100::double as duration_ms_mean, 200::double as duration_ms_p95, 512::double as memory_mb,
        90::double as memory_used_mb_max
    from {EVERY_HOUR}
"""
TRAINER = "PyTorchJob/ml/trainer"
GPU_COSTS = f"""
    select {COST}, 'Google Cloud' as provider_name, 'GCE' as service_name, 'europe-west4' as
        region_id, coalesce(resource, 'spot') as resource_id, null::varchar as resource_name,
        resource, sku as sku_id, sku as sku_meter, 'GPU-Hours' as consumed_unit,
        24::double as consumed_quantity, cost::decimal(38, 20) as effective_cost
    from {EVERY_DAY}, (values
        ('Deployment/ml/a', 'GPU nvidia-a100-80gb', 72), ('Deployment/ml/b', 'GPU nvidia-a100-80gb',
        72), ('{TRAINER}', 'GPU nvidia-a100-80gb', 72), (null, 'Spot GPU nvidia-a100-80gb', 24)
    ) as s (resource, sku, cost)
"""
GPUS = f"""
    select t::date as day, t as time, 3600::bigint as interval_seconds, 'main' as cluster, kind,
        'ml' as namespace, name, '' as container, kind || '/ml/' || name as resource,
        10::double as gpu_utilisation_percent, 1::double as gpu_requests, 1::double as replicas,
        1::bigint as gpus_measured, 5000::double as gpu_memory_used_mib,
        75000::double as gpu_memory_free_mib
    from {EVERY_HOUR}, (values ('Deployment', 'a'), ('Deployment', 'b'), ('PyTorchJob', 'trainer'))
        as s (kind, name)
"""
RUNS = f"""
    select d::date as day, 'mlflow' as source, 'mlflow' as system, 'run1' as run_id,
        '{TRAINER}' as resource, map {{'save_strategy': 'steps', 'save_steps': '3600'}} as params,
        map {{'train_steps_per_second': 0.5::double}} as metrics
    from {EVERY_DAY}
"""
MANIFEST = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: NAME, namespace: ml}
spec:
  template:
    spec:
      nodeSelector: {cloud.google.com/gke-accelerator: nvidia-a100-80gb}
      containers:
      - name: server
        resources: {limits: {nvidia.com/gpu: 1}}
"""


@pytest.fixture
def estate(monkeypatch: pytest.MonkeyPatch) -> Estate:
    """Settings, a repository and policies; nothing that the repository declares is joined."""
    monkeypatch.setattr(resources, "reader", lambda *_: None)
    index = index_files(
        {f"{name}.yaml": MANIFEST.replace("NAME", name).encode() for name in ("a", "b")}
    )
    limits = {"serverless": {"defaults": {"max_memory_mib": 512}}}
    sizing = SimpleNamespace(history_days=14, max_change_share=0.5, risk_dial={})
    return cast(
        Estate,
        SimpleNamespace(
            settings=SimpleNamespace(sizing=sizing),
            index=lambda _: index,
            judge=SimpleNamespace(policies=SimpleNamespace(data={"limits": limits})),
        ),
    )


def of_month(sql: str) -> tuple[str, str, list[date]]:
    return sql, "billing_period", [MARCH]


def of_days(sql: str) -> tuple[str, str, list[date]]:
    return sql, "day", DAYS


def test_functions_are_judged_by_their_bill_and_their_telemetry(
    estate: Estate, tmp_path: Path
) -> None:
    """A function whose bill and telemetry do not meet is judged by one of them, or never."""
    marts: dict[str, Any] = {
        "fct_costs_daily": of_month(FUNCTION_COSTS),
        "dim_skus": of_month(FUNCTION_SKUS),
        "fct_function_measurements": of_days(FUNCTIONS),
    }
    result = serverless(estate, published(tmp_path, marts), AS_OF)
    assert result.abstained == []
    (finding,) = result.findings
    assert finding.kind is FindingKind.SERVERLESS_MEMORY
    assert finding.resource == f"function/payer/{FUNCTION}"
    assert (finding.owner, finding.environment) == ("ml", "prod")
    # 30 USD a day; 90 x 1.15 fit 128 of 512 MB: three quarters at most
    assert float(finding.saving_per_month.high) == pytest.approx(30 * 365 / 12 * 0.75)


def test_functions_that_are_billed_and_not_measured_are_said_once(
    estate: Estate, tmp_path: Path
) -> None:
    """Silence would say that their memory is right."""
    marts = {"fct_costs_daily": of_month(FUNCTION_COSTS), "dim_skus": of_month(FUNCTION_SKUS)}
    result = serverless(estate, published(tmp_path, marts), AS_OF)
    assert [one.subject for one in result.abstained] == ["serverless functions"]


def test_an_estate_without_functions_or_gpus_is_not_told_of_them(
    estate: Estate, tmp_path: Path
) -> None:
    """A line about what nobody has hides the lines that count."""
    none = GPU_COSTS.replace("GPU nvidia-a100-80gb", "vCPU").replace("GPU", "core")
    reader = published(tmp_path, {"fct_costs_daily": of_month(none)})
    assert serverless(estate, reader, AS_OF) == FindResult([], [])
    assert gpus(estate, reader, AS_OF) == FindResult([], [])


def test_training_is_judged_where_no_gpu_is_measured(estate: Estate, tmp_path: Path) -> None:
    """What a bill shows needs no exporter."""
    marts = {"fct_costs_daily": of_month(GPU_COSTS), "fct_runs": of_days(RUNS)}
    result = gpus(estate, published(tmp_path, marts), AS_OF)
    assert [one.resource for one in result.findings] == [TRAINER]


def test_gpus_are_judged_by_manifests_bill_telemetry_and_runs(
    estate: Estate, tmp_path: Path
) -> None:
    """Each alone says too little: what is asked for, what it costs, what it does, what is kept."""
    marts: dict[str, Any] = {
        "fct_costs_daily": of_month(GPU_COSTS),
        "fct_workload_measurements": of_days(GPUS),
        "fct_runs": of_days(RUNS),
    }
    result = gpus(estate, published(tmp_path, marts), AS_OF)
    assert result.abstained == []
    found = {(one.kind, one.resource): one for one in result.findings}
    assert set(found) == {
        (FindingKind.UNDERUSED_GPU, "Deployment/ml/a"),
        (FindingKind.UNDERUSED_GPU, "Deployment/ml/b"),
        (FindingKind.GPU_SPOT, TRAINER),
    }
    spot = found[FindingKind.GPU_SPOT, TRAINER].evidence.figures
    # 3,600 steps at half a step a second are two hours
    assert spot["checkpoint_hours"] == 2
    assert spot["spot_price_of_on_demand"] == pytest.approx(1 / 3, rel=1e-5)
    part = found[FindingKind.UNDERUSED_GPU, "Deployment/ml/a"]
    assert "nvidia.com/mig-1g.10gb" in part.suggestion
    assert float(part.saving_per_month.mid) == pytest.approx(72 * 365 / 12 / 2)
