"""What is expected of landed tables and of the deliveries they came in, as data.

Required columns and money come from the schemas of domain; only what those cannot say is here.
"""

from __future__ import annotations

from finops_dagster.domain.schemas import LANDING_TABLES, METRICS, LogicalType
from finops_dagster.quality.billing import CHARGE_CATEGORIES
from finops_dagster.quality.checks import (
    Check,
    Frame,
    Suite,
    between,
    names,
    no_difference,
    not_null,
    one_of,
)

_GRAINS = {
    # a row of some formats is several charges, each with a meter of its own
    "charges": ("delivery_id", "file", "row_number", "sku_meter"),
    "measurements": names("delivery_id time metric cluster namespace kind name container"),
    "intensities": names("delivery_id time region zone accounting kind factors"),
    "predictions": ("delivery_id", "model", "prediction_id"),
    "labels": ("delivery_id", "model", "prediction_id", "time"),
    "runs": names("delivery_id system run_id cluster namespace workload_kind workload resource_id"),
    "model_versions": ("delivery_id", "registry", "model", "version"),
    "token_usage": names(
        "delivery_id time provider model operation service team cluster namespace workload"
    ),
    "business_metrics": names(
        "delivery_id time metric business_unit team product environment cost_center"
    ),
}

_CHECKS: dict[str, tuple[Check, ...]] = {
    "charges": (
        *not_null(
            "billing_currency",
            where="billed_cost <> 0 or effective_cost <> 0",
            suffix="_where_cost",
            hint="A cost without its currency cannot be added to anything: have the export "
            "corrected and delivered again.",
        ),
        one_of("charge_category", CHARGE_CATEGORIES),
        one_of("charge_class", ("Correction",)),
        Check(
            name="charge_period_ends_after_start",
            expectation="expect_column_pair_values_a_to_be_greater_than_b",
            kwargs={"column_A": "charge_period_end", "column_B": "charge_period_start"},
            hint="A charge period must end after it starts.",
        ),
        Check(
            name="billing_period_ends_after_start",
            expectation="expect_column_pair_values_a_to_be_greater_than_b",
            kwargs={"column_A": "billing_period_end", "column_B": "billing_period_start"},
            hint="A billing period must end after it starts.",
        ),
        Check(
            name="billing_currency_is_iso_4217",
            expectation="expect_column_values_to_match_regex",
            column="billing_currency",
            kwargs={"regex": r"^[A-Z]{3}$"},
            severity="warn",
            hint="FOCUS asks for ISO 4217 codes; virtual currencies are kept apart as they are.",
        ),
    ),
    "measurements": (
        one_of(
            "metric",
            tuple(METRICS),
            severity="warn",
            hint="A metric nothing reads: map it, or leave it out of the delivery.",
        ),
        *between("interval_seconds", low=1),
        *between("value", high=1e18, hint="Gauges and rates are finite and not below zero."),
    ),
    "intensities": (
        one_of("accounting", ("location", "market")),
        one_of("kind", ("average", "marginal")),
        one_of("factors", ("lifecycle", "direct")),
        one_of("basis", ("measured", "estimated")),
        *between(
            "gco2e_per_kwh",
            "low_gco2e_per_kwh",
            "high_gco2e_per_kwh",
            high=5000,
            hint="Grid intensity in gCO2e/kWh; coal alone is "
            "about 1000, so more than 5000 is another unit.",
        ),
    ),
    "predictions": (
        *between("probability", high=1),
        *between("latency_ms", "energy_wh", "input_tokens", "output_tokens"),
    ),
    "labels": (),
    "runs": (
        one_of("status", ("scheduled", "running", "finished", "failed", "killed", "unknown")),
    ),
    "model_versions": (),
    "token_usage": (
        *between("interval_seconds", low=1),
        *between(
            "input_tokens",
            "output_tokens",
            "cached_input_tokens",
            "requests",
            hint="Counts are never below zero: look at counter resets in the export.",
        ),
    ),
    "business_metrics": between("quantity", high=1e17),
}


def _suite(name: str) -> Suite:
    schema = LANDING_TABLES[name]
    required = tuple(column.name for column in schema.columns if not column.nullable)
    return Suite(
        table=name,
        partition="delivery_id",
        grain=_GRAINS[name],
        columns=schema.names,
        money=tuple(c.name for c in schema.columns if c.type is LogicalType.MONEY),
        checks=(*not_null(*required), *_CHECKS[name]),
    )


LANDING = {name: _suite(name) for name in LANDING_TABLES}
"""Suites of the landed tables by name."""


DELIVERY_CHECKS: tuple[Check, ...] = (
    Check(
        name="no_set_fault",
        expectation="expect_column_values_to_be_between",
        column="set_faults",
        kwargs={"max_value": 0},
        frame="deliveries",
        hint="The delivery as a whole is faulty; its faults say where and what to do.",
    ),
    Check(
        name="every_row_accounted_for",
        expectation="expect_column_values_to_be_between",
        column="rows_unaccounted",
        kwargs={"min_value": 0, "max_value": 0},
        frame="deliveries",
        hint="Rows read are not rows landed plus rows set aside: land the delivery again.",
    ),
    Check(
        name="rows_set_aside_within_limit",
        expectation="expect_column_values_to_be_between",
        column="over_row_limit",
        kwargs={"max_value": 0},
        frame="deliveries",
        hint="Too many rows could not be read: the quarantine holds each with its reason.",
    ),
    Check(
        name="landed_rows_are_in_files",
        expectation="expect_column_values_to_be_between",
        column="rows_missing_in_files",
        kwargs={"min_value": 0, "max_value": 0},
        frame="deliveries",
        hint="The files do not hold the rows that landing counted: land the delivery again.",
    ),
    no_difference(
        "cost_conserved",
        frame="delivered_cost",
        column="cost_unaccounted",
        hint="Cost read is not cost landed plus cost set aside: land the delivery again.",
    ),
    Check(
        name="cost_set_aside_within_limit",
        expectation="expect_column_values_to_be_between",
        column="over_cost_limit",
        kwargs={"max_value": 0},
        frame="delivered_cost",
        hint="The share of cost that could not be read is over the limit in settings, or is "
        "not known: mend the rows in quarantine.",
    ),
    Check(
        name="agrees_with_control_total",
        expectation="expect_column_values_to_be_between",
        column="over_tolerance",
        kwargs={"max_value": 0},
        frame="control_totals",
        hint="The charges of an account do not add up to its invoice or control total: ask "
        "the provider for a complete export.",
    ),
)
"""What is expected of deliveries; their frames are made from `Landed`."""

CONTROL_SUMS = Frame(
    sql="""
        select delivery_id, billing_account_id, billing_currency,
            cast(charge_period_start as date) as charge_date, sum(billed_cost) as billed_cost
        from {table} group by all
    """,
    columns=(
        "delivery_id",
        "billing_account_id",
        "billing_currency",
        "charge_period_start",
        "billed_cost",
    ),
)
"""Billed cost by delivery, account, currency and UTC day: what control totals are held against."""
