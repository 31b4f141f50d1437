"""What is expected of the marts of what AI costs, as data. How it is judged is in `audit`.

All may rightly be empty: not every estate has GPUs, models or tokens.
"""

from __future__ import annotations

from finops_dagster.quality.checks import Suite, between, names, not_null, one_of

_COSTS = names("billed_cost effective_cost")
_IDLE = names("idle_billed_cost idle_effective_cost")

IDLE_GPUS = Suite(
    table="fct_gpu_idle_daily",
    partition="day",
    grain=names("day resource billing_currency"),
    columns=names(
        "day resource billing_currency team basis idle_below_percent gpu_hours busy_gpu_hours "
        "idle_gpu_hours idle_in_runs_gpu_hours idle_share idle_billed_cost idle_effective_cost"
    ),
    money=_IDLE,
    checks=(
        *not_null("day", "resource", "basis", "gpu_hours", "idle_gpu_hours"),
        one_of("basis", names("gpu_hours nothing_billed of_runs")),
        *between("busy_gpu_hours", "idle_gpu_hours", "idle_in_runs_gpu_hours", high=1e9),
        *between("idle_share", high=1),
    ),
    always_filled=False,
)

SERVING = Suite(
    table="fct_model_serving_costs_daily",
    partition="day",
    grain=names("day model model_version resource billing_currency"),
    columns=names(
        "day model model_version resource billing_currency team basis predictions tokens "
        "latency_ms_p95 energy_wh share billed_cost effective_cost idle_billed_cost "
        "idle_effective_cost effective_cost_per_thousand_predictions "
        "effective_cost_per_million_tokens"
    ),
    money=(*_COSTS, *_IDLE),
    checks=(
        *not_null("day", "basis", "predictions"),
        one_of("basis", names("predictions no_predictions workload_not_told nothing_billed")),
        *between("share", high=1),
    ),
    always_filled=False,
)

TOKENS = Suite(
    table="fct_token_costs_daily",
    partition="day",
    grain=names(
        "day provider model token_type resource service team namespace workload service_name "
        "sku_meter billing_currency basis"
    ),
    columns=names(
        "day provider model token_type resource service team namespace workload service_name "
        "sku_meter billing_currency basis tokens share billed_cost effective_cost "
        "idle_billed_cost idle_effective_cost effective_cost_per_million_tokens"
    ),
    money=(*_COSTS, *_IDLE),
    checks=(
        *not_null("day", "basis"),
        one_of("basis", names("tokens no_usage meter_not_told model_not_told nothing_billed")),
        *between("share", high=1),
    ),
    always_filled=False,
)

_AI_GRAIN = names(
    "day kind basis team experiment system run_id provider model model_version service resource "
    "service_name billing_currency"
)
AI_COSTS = Suite(
    table="fct_ai_costs_daily",
    partition="day",
    grain=_AI_GRAIN,
    columns=(*_AI_GRAIN, *_COSTS),
    money=_COSTS,
    checks=(
        *not_null("day", "kind", "basis", "billing_currency", *_COSTS),
        one_of("kind", names("training serving tokens idle_gpu other")),
    ),
    always_filled=False,
)

MODEL_CARBON = Suite(
    table="fct_model_carbon_daily",
    partition="day",
    grain=names("day kind model model_version system run_id cluster resource"),
    columns=names(
        "day kind model model_version system run_id experiment cluster resource predictions "
        "energy_kwh location_gco2e market_gco2e embodied_gco2e reason "
        "sci_per_thousand_predictions"
    ),
    checks=(
        *not_null("day", "model"),
        one_of("kind", names("training serving")),
    ),
    always_filled=False,
)
