"""Cost of AI, from published marts to the mart in which each charge is once.

Formulas are held by dbt's own unit tests; here the same is worked out the obvious way.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any

import duckdb
import pytest

from tests.dbt.landing import Estate, Result

DAY = "2026-01-05"
AI = "AI and Machine Learning"
COSTS: list[tuple[str | None, str, str | None, str | None, str | None, str, str, str | None]] = [
    # resource, service, category, meter, unit, quantity, cost, currency is EUR unless USD is said
    ("Deployment/ml/trainer", "GKE", "Compute", "GPU-hours", "Hours", "24", "70.01", "ml"),
    ("Deployment/ml/trainer", "GKE", "Compute", "vCPU-hours", "Hours", "96", "0.99", "ml"),
    ("InferenceService/ml/scorer", "GKE", "Compute", "GPU-hours", "Hours", "24", "10", "ml"),
    ("InferenceService/ml/plain", "GKE", "Compute", "vCPU-hours", "Hours", "24", "3", "risk"),
    ("Deployment/lab/notebook", "GKE", "Compute", "GPU-hours", "Hours", "24", "24", "lab"),
    ("Deployment/lab/llama", "GKE", "Compute", "GPU-hours", "Hours", "24", "48", "lab"),
    ("Deployment/shop/web", "GKE", "Compute", "vCPU-hours", "Hours", "24", "9", "shop"),
    (None, "Bedrock", AI, "Nova input tokens", "1M Tokens", "8", "0.8", "shop"),
    (None, "Bedrock", AI, "Nova cached input tokens", "1M Tokens", "2", "0.05", "shop"),
    (None, "Bedrock", AI, "Nova output tokens", "1M Tokens", "3", "7.77", "shop"),
    (None, "Bedrock", AI, "Titan input tokens", "1M Tokens", "5", "0.5", None),
    (None, "Vertex AI", AI, "Training hours", "Hours", "5", "12.5", "ml"),
]
RUNS = {"night": ("Deployment/ml/trainer", 0, 6), "late": ("Deployment/ml/trainer", 4, 10)}
"""Run -> place, and the hours of the day on which it began and ended."""
PERCENT = {
    # hour by hour: idle while a run was active, busy, idle with nobody
    "Deployment/ml/trainer": [1.0] * 2 + [80.0] * 10 + [0.0] * 12,
    "InferenceService/ml/scorer": [50.0] * 18 + [1.9] * 6,
    "Deployment/lab/notebook": [0.0] * 24,
    "Deployment/lab/llama": [2.0] * 24,
}
PREDICTIONS = {("credit", "1"): 100, ("credit", "2"): 200, ("fraud", "7"): 50, ("lost", "1"): 9}
SERVES = {
    "credit": "InferenceService/ml/scorer",
    "fraud": "InferenceService/ml/plain",
    "gone": "InferenceService/ml/gone",
    "lost": None,
}
LANGUAGE = [
    {
        "provider": "aws.bedrock",
        "model": "nova",
        "aliases": ["amazon.nova-*"],
        "workload": None,
        "meters": [
            {"tokens": "cached_input", "service": "bedrock", "meter": "nova cached*"},
            {"tokens": "input", "service": "bedrock", "meter": "nova input*"},
            {"tokens": "output", "service": "bedrock", "meter": "*nova output*"},
        ],
    },
    {
        "provider": "vllm",
        "model": "llama",
        "aliases": [],
        "meters": [],
        "workload": "Deployment/lab/llama",
    },
]
USAGE = [
    # provider, model, service, team, input, output, cached
    ("aws.bedrock", "amazon.nova-lite-v1:0", "chat", "shop", 6_000_000, 1_000_000, 1_500_000),
    ("aws.bedrock", "nova", "mail", "crm", 3_000_000, 1_000_000, 500_000),
    ("vllm", "llama", "lab", "lab", 700_000, 300_000, 0),
    ("openai", "gpt-4o", "chat", "shop", 10, 20, None),
]


def rows(columns: str, given: list[tuple[Any, ...]]) -> str:
    """Values as a query."""

    def text(value: Any) -> str:
        return "null" if value is None else repr(value) if isinstance(value, str) else str(value)

    lines = ", ".join("(" + ", ".join(text(value) for value in row) + ")" for row in given)
    return f"(values {lines}) as given ({columns})"


def hours(sql: str) -> str:
    return f"timestamptz '{DAY} 00:00:00+00' + to_hours(cast({sql} as integer))"


PUBLISHED = {
    "fct_costs_daily": f"""
        select date '{DAY}' as charge_date, null::varchar as resource_id, resource,
            service_name, service_category, sku_meter, 'SKU-1' as sku_id,
            consumed_unit, quantity::decimal(38, 20) as consumed_quantity, team,
            'EUR' as billing_currency, cost::decimal(38, 20) as effective_cost,
            2 * cost::decimal(38, 20) as billed_cost
        from {rows(
            "resource, service_name, service_category, sku_meter, consumed_unit, quantity, cost,"
            " team", list(COSTS)
        )}
    """,
    "fct_runs": f"""
        select date '{DAY}' as day, 'mlflow' as source, 'mlflow' as system, run_id,
            'embeddings' as experiment, run_id as name, 'ana' as owner, 'search' as team,
            'finished' as status, null::varchar as cluster, 'ml' as namespace, resource,
            null::varchar as resource_id, {hours('start')} as active_from,
            {hours('stop')} as active_to
        from {rows("run_id, resource, start, stop", [(k, *v) for k, v in RUNS.items()])}
    """,
    "fct_workload_measurements": f"""
        select date '{DAY}' as day, {hours('hour')} as time, 3600::bigint as interval_seconds,
            'prod' as cluster, split_part(resource, '/', 2) as namespace, resource,
            1.0 as cpu_cores, 2.0 as cpu_request_cores, percent as gpu_utilisation_percent,
            1::bigint as gpus_measured
        from {rows("resource, hour, percent", [
            (name, hour, percent)
            for name, day in PERCENT.items() for hour, percent in enumerate(day)
        ])}
    """,
    "fct_model_versions": f"""
        select date '{DAY}' as day, 'mlflow' as registry, 'embedder' as model, version,
            'night' as run_id
        from {rows("version", [("3",), ("4",)])}
    """,
    "fct_model_metrics_daily": f"""
        select date '{DAY}' as day, model, model_version, predictions::bigint as predictions,
            12.5 as latency_ms_p95, 0.5 as energy_wh, null::bigint as input_tokens,
            null::bigint as output_tokens
        from {rows("model, model_version, predictions", [(*k, v) for k, v in PREDICTIONS.items()])}
    """,
    "fct_token_usage": f"""
        select date '{DAY}' as day, provider, model, service, team, null::varchar as namespace,
            null::varchar as workload, input::bigint as input_tokens,
            output::bigint as output_tokens, cached::bigint as cached_input_tokens
        from {rows("provider, model, service, team, input, output, cached", USAGE)}
    """,
}  # fmt: skip


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Estate, Result]:
    root = tmp_path_factory.mktemp("ai_costs")
    estate = Estate(root)
    published: dict[str, Any] = {}
    for mart, query in PUBLISHED.items():
        path = root / f"{mart}.parquet"
        duckdb.sql(f"copy ({query}) to '{path}' (format parquet)")
        published[mart] = [str(path)]
    result = estate.dbt(
        "build", "--select", "+fct_ai_costs_daily", "+fct_gpu_idle_daily",
        "--exclude-resource-type", "unit_test",
        first_day=DAY, last_day=DAY, published=published, model_workloads=SERVES,
        language_models=LANGUAGE,
    )  # fmt: skip
    return estate, result


def cost_of(name: str) -> Decimal:
    """What is billed of a workload, or of a service."""
    return sum((Decimal(one[6]) for one in COSTS if name in one[:2]), Decimal(0))


def test_every_test_holds(built: tuple[Estate, Result]) -> None:
    """Parts that do not sum to the bill would be cost invented or lost."""
    assert built[1].exit_code == 0, built[1].output


def test_kinds_are_the_bill_of_ai_to_the_last_decimal(built: tuple[Estate, Result]) -> None:
    """A charge in two kinds is counted twice, and one in none is hidden."""
    found = dict(
        built[0].query("select kind, sum(effective_cost) from fct_ai_costs_daily group by all")
    )
    of_ai = sum((Decimal(one[6]) for one in COSTS if one[0] != "Deployment/shop/web"), Decimal(0))
    assert sum(found.values()) == of_ai
    billed = built[0].query("select sum(billed_cost) from fct_ai_costs_daily")
    assert billed == [(2 * of_ai,)]

    share = {name: Decimal(sum(p < 2 for p in day)) / 24 for name, day in PERCENT.items()}
    # of the trainer's idle hours two were in a run
    share["Deployment/ml/trainer"] -= Decimal(2) / 24
    idle = {name: share[name] * cost_of(name) for name in PERCENT}
    trainer = cost_of("Deployment/ml/trainer")
    expected = {
        "training": trainer * 10 / 24,
        "serving": cost_of("InferenceService/ml/plain")
        + cost_of("InferenceService/ml/scorer")
        - idle["InferenceService/ml/scorer"],
        "tokens": cost_of("Bedrock") + cost_of("Deployment/lab/llama"),
        "idle_gpu": sum(idle.values()),
        "other": trainer * 14 / 24 - idle["Deployment/ml/trainer"] + cost_of("Vertex AI"),
    }
    assert found.keys() == expected.keys()
    for kind, cost in expected.items():
        # shares have nine decimals
        assert abs(found[kind] - cost) < Decimal("0.000001"), kind


def test_runs_part_the_hours_that_they_held(built: tuple[Estate, Result]) -> None:
    """Two versions of one run, told in full each, would cost it twice."""
    found = {
        (run, version): cost
        for run, version, cost in built[0].query(
            "select run_id, model_version, effective_cost from fct_ai_costs_daily"
            " where kind = 'training' and team = 'search' and experiment = 'embeddings'"
        )
    }
    hour = cost_of("Deployment/ml/trainer") / 24
    expected = {
        ("night", "3"): hour * 5 / 2,
        ("night", "4"): hour * 5 / 2,
        ("late", None): hour * 5,
    }
    assert found.keys() == expected.keys()
    for key, cost in expected.items():
        assert abs(found[key] - cost) < Decimal("0.000001"), key


def test_a_thousand_predictions_cost_what_their_workload_did(built: tuple[Estate, Result]) -> None:
    """The cost of an answer is what a model's owner compares versions by."""
    found = {
        (model, version): told
        for model, version, *told in built[0].query(
            "select model, model_version, basis, predictions, effective_cost,"
            " effective_cost_per_thousand_predictions from fct_model_serving_costs_daily"
        )
    }
    assert found.keys() == PREDICTIONS.keys()
    assert found["lost", "1"] == ["workload_not_told", 9, None, None]
    for (model, version), count in PREDICTIONS.items():
        if model == "lost":
            continue
        workload = str(SERVES[model])
        all_of_it = sum(n for (m, _), n in PREDICTIONS.items() if SERVES[m] == workload)
        basis, predictions, cost, thousand = found[model, version]
        assert (basis, predictions) == ("predictions", count)
        assert abs(cost - cost_of(workload) * count / all_of_it) < Decimal("0.0000001")
        assert abs(thousand - cost * 1000 / count) < Decimal("0.0000001")
    both = found["credit", "1"][2] + found["credit", "2"][2]
    assert both == cost_of("InferenceService/ml/scorer")


def test_tokens_cost_what_is_billed_of_them(built: tuple[Estate, Result]) -> None:
    """Tokens that nobody logged must not be paid by those who log theirs."""
    found = {
        key: tuple(told)
        for *key_, tokens, cost, million in built[0].query(
            "select model, token_type, coalesce(service, basis), tokens, effective_cost,"
            " effective_cost_per_million_tokens from fct_token_costs_daily"
        )
        for key, told in [(tuple(key_), [tokens, cost, million])]
    }
    billed = {
        kind: (Decimal(one[5]) * 1_000_000, Decimal(one[6]))
        for one in COSTS
        for kind in ("input", "cached_input", "output")
        if one[3] == f"Nova {kind.replace('_', ' ')} tokens"
    }
    asked: dict[tuple[str, str], int] = defaultdict(int)
    for provider, _, service, _, given, made, cached in USAGE:
        if provider == "aws.bedrock":
            asked[service, "input"] += given - (cached or 0)
            asked[service, "cached_input"] += cached or 0
            asked[service, "output"] += made
    for (service, kind), tokens in asked.items():
        quantity, cost = billed[kind]
        told = found["nova", kind, service]
        assert told[0] == tokens
        assert abs(told[1] - cost * tokens / quantity) < Decimal("0.0000001")
        # the price that was billed is found back
        assert abs(told[2] - cost * 1_000_000 / quantity) < Decimal("0.00001")
    rest = {key: told[0] for key, told in found.items() if key[2] == "no_usage"}
    assert rest == {
        ("nova", kind, "no_usage"): int(quantity)
        - sum(n for (_, k), n in asked.items() if k == kind)
        for kind, (quantity, _) in billed.items()
        if quantity > sum(n for (_, k), n in asked.items() if k == kind)
    }
    assert found[None, None, "meter_not_told"][:2] == (5_000_000, Decimal("0.5"))
    assert found["gpt-4o", "output", "chat"] == (20, None, None)
    hosted = {kind: found["llama", kind, "lab"] for kind in ("input", "output")}
    assert sum(told[1] for told in hosted.values()) == cost_of("Deployment/lab/llama")
    assert all(abs(told[2] - 48) < Decimal("0.00001") for told in hosted.values())


def test_idle_hours_are_told_with_their_limit(built: tuple[Estate, Result]) -> None:
    """An idle hour in a run is paid by the run; told again it would be saved twice."""
    found = {
        resource: told
        for resource, *told in built[0].query(
            "select resource, gpu_hours, busy_gpu_hours, idle_gpu_hours, idle_in_runs_gpu_hours,"
            " idle_below_percent, idle_effective_cost from fct_gpu_idle_daily"
        )
    }
    assert found.keys() == PERCENT.keys()
    for name, percents in PERCENT.items():
        idle = sum(percent < 2 for percent in percents)
        in_runs = 2 if name == "Deployment/ml/trainer" else 0
        assert found[name][:5] == [24, 24 - idle, idle, in_runs, 2]
        cost = cost_of(name) * (idle - in_runs) / 24
        assert abs(found[name][5] - cost) < Decimal("0.0000001")
