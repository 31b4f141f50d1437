"""What is expected of the marts of runs, registered models, tokens and their costs, as data.

How it is judged is in `audit`.
"""

from __future__ import annotations

from finops_dagster.quality.checks import Suite, between, names, not_null, one_of

RUNS = Suite(
    table="fct_runs",
    partition="day",
    grain=names("day source system run_id cluster namespace resource resource_id"),
    columns=names(
        "day source system run_id cluster namespace resource resource_id experiment name owner "
        "team status lifecycle metrics metrics_not_finite params tags active_from active_to "
        "started_at ended_at"
    ),
    checks=not_null("day", "source", "system", "run_id", "status", "active_from", "active_to"),
    always_filled=False,
)

MODEL_VERSIONS = Suite(
    table="fct_model_versions",
    partition="day",
    grain=names("day source registry model version"),
    columns=names(
        "day time source registry model version run_id owner status stage aliases created_at"
    ),
    checks=not_null("day", "source", "registry", "model", "version", "created_at"),
    always_filled=False,
)

TOKEN_USAGE = Suite(
    table="fct_token_usage",
    partition="day",
    grain=names("day time source provider model operation service team cluster namespace workload"),
    columns=names(
        "day time interval_seconds source provider model operation service team cluster "
        "namespace workload input_tokens output_tokens cached_input_tokens requests"
    ),
    checks=(
        *not_null("day", "time", "source", "provider", "model", "input_tokens", "output_tokens"),
        *between("interval_seconds", low=1),
        *between(
            "input_tokens",
            "output_tokens",
            "cached_input_tokens",
            "requests",
            high=1e18,
            hint="Tokens are never below zero: look at counter resets.",
        ),
    ),
    always_filled=False,
)

RUN_COSTS = Suite(
    table="fct_run_costs",
    partition="day",
    grain=names("day charged_by charged_to billing_currency system run_id"),
    columns=names(
        "day charged_by charged_to billing_currency system run_id experiment name owner team "
        "status basis share billed_cost effective_cost"
    ),
    money=("billed_cost", "effective_cost"),
    checks=(
        *not_null("day", "basis"),
        one_of(
            "basis",
            names("gpu_seconds core_seconds time unallocated no_place nothing_billed"),
        ),
        *between("share", high=1),
    ),
    always_filled=False,
)

MODEL_VERSION_COSTS = Suite(
    table="fct_model_version_costs",
    partition="day",
    grain=names("day registry model version run_id billing_currency"),
    columns=names("day registry model version run_id billing_currency billed_cost effective_cost"),
    money=("billed_cost", "effective_cost"),
    checks=not_null("day", "registry", "model", "version", "run_id", "billing_currency"),
    always_filled=False,
)

RUN_CARBON = Suite(
    table="fct_run_carbon_daily",
    partition="day",
    grain=names("day charged_by charged_to system run_id"),
    columns=names(
        "day charged_by charged_to system run_id experiment name team share energy_kwh "
        "location_gco2e market_gco2e embodied_gco2e reason"
    ),
    checks=(
        *not_null("day"),
        *between("share", high=1),
    ),
    always_filled=False,
)
