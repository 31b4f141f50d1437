"""What is expected of the marts of allocated costs, as data.

How it is judged is in `audit`.
"""

from __future__ import annotations

from finops_dagster.quality.billing import CHARGE_CATEGORIES, COST_METRICS, SUMS_BY_METRIC
from finops_dagster.quality.checks import (
    Frame,
    Suite,
    between,
    names,
    no_difference,
    not_null,
    one_of,
)

_GRAIN = (
    "source billing_period charge_date provider_name billing_account_id sub_account_id "
    "sub_account_name service_category service_name region_id resource_id resource_name "
    "resource_type resource charge_category charge_class sku_id sku_meter consumed_unit "
    "commitment_discount_status billing_currency business_unit team product environment "
    "cost_center line pool rule cluster cost_part"
)

ALLOCATED = Suite(
    table="fct_allocated_costs_daily",
    partition="billing_period",
    grain=names(_GRAIN),
    columns=names(
        f"{_GRAIN} billed_cost effective_cost list_cost contracted_cost consumed_quantity "
        "charge_count energy_kwh location_gco2e market_gco2e embodied_gco2e"
    ),
    money=COST_METRICS,
    checks=(
        *not_null(
            "source",
            "billing_period",
            "charge_date",
            "billing_account_id",
            "line",
            "billed_cost",
            "effective_cost",
        ),
        *not_null(
            "pool",
            where="line <> 'charge' and cluster is null",
            suffix="_where_moved",
            hint="A line that moves money is of a pool or a cluster: build the mart again.",
        ),
        one_of("charge_category", CHARGE_CATEGORIES),
        one_of("line", ("charge", "given", "received")),
        *between("charge_count"),
        no_difference(
            "cost_equals_conservation",
            frame="against_conservation",
            hint="What is allocated and what is not do not add up to the bill: build the mart "
            "again.",
        ),
    ),
    frames={
        "against_conservation": Frame(
            sql=SUMS_BY_METRIC
            + """
                select conservation.billing_period, conservation.source,
                    conservation.billing_currency, conservation.metric,
                    case when coalesce(total, 0) = billed_total then '0'
                        else cast(coalesce(total, 0) - billed_total as varchar) end as difference
                from {fct_allocation_conservation} as conservation left join sums
                    on conservation.billing_period = sums.billing_period
                    and conservation.source = sums.source
                    and conservation.metric = sums.metric
                    and conservation.billing_currency
                        is not distinct from sums.billing_currency
            """,
            columns=("billing_period", "source", "billing_currency", *COST_METRICS),
            needs=("fct_allocation_conservation",),
        ),
    },
)

CONSERVATION = Suite(
    table="fct_allocation_conservation",
    partition="billing_period",
    grain=names("billing_period source billing_currency metric"),
    columns=names(
        "billing_period source billing_currency metric billed_total allocated_total "
        "unallocated_total given_total received_total difference"
    ),
    money=(
        "billed_total",
        "allocated_total",
        "unallocated_total",
        "given_total",
        "received_total",
        "difference",
    ),
    checks=(
        *not_null("billing_period", "source", "metric", "difference"),
        *between(
            "difference",
            high=0,
            hint="Something was lost or invented between the bill and its allocation: build the "
            "month again.",
        ),
    ),
)

_CLUSTER_COSTS = names(
    "node_cost used_cost idle_cost overhead_cost control_plane_cost storage_cost network_cost "
    "other_cost"
)

CLUSTERS = Suite(
    table="fct_cluster_costs_daily",
    partition="billing_period",
    grain=names("billing_period charge_date cluster billing_currency metric"),
    columns=(
        *names("billing_period charge_date cluster billing_currency metric"),
        *_CLUSTER_COSTS,
        *names(
            "cpu_hours allocatable_cpu_hours held_cpu_hours memory_hours "
            "allocatable_memory_hours held_memory_hours gpu_hours allocatable_gpu_hours "
            "held_gpu_hours reason"
        ),
    ),
    money=_CLUSTER_COSTS,
    checks=(
        *not_null("billing_period", "charge_date", "cluster", "metric"),
        *not_null(*_CLUSTER_COSTS),
        one_of("metric", COST_METRICS),
        no_difference(
            "parts_are_the_node_cost",
            frame="parts_of_nodes",
            hint="What is used, idle and overhead do not add up to what nodes cost: build the "
            "month again.",
        ),
    ),
    frames={
        "parts_of_nodes": Frame(
            sql="""
                select billing_period, charge_date, cluster, billing_currency, metric,
                    case when used_cost + idle_cost + overhead_cost
                        = case when reason is null then node_cost else 0 end then '0'
                    else cast(node_cost - used_cost - idle_cost - overhead_cost as varchar)
                    end as difference
                from {table}
            """,
            columns=("used_cost", "idle_cost", "overhead_cost", "node_cost", "reason"),
        ),
    },
    always_filled=False,
)

CHANGES = Suite(
    table="fct_cost_changes_monthly",
    partition="billing_period",
    grain=names("billing_period source provider_name service_name team billing_currency"),
    columns=names(
        "billing_period source provider_name service_name team billing_currency compared_until "
        "cost_before cost_after change price_effect quantity_effect mix_effect shared_effect "
        "other_effect"
    ),
    money=(
        "cost_before",
        "cost_after",
        "change",
        "price_effect",
        "quantity_effect",
        "mix_effect",
        "shared_effect",
        "other_effect",
    ),
    checks=not_null("billing_period", "source", "compared_until", "change"),
    always_filled=False,
)

_CARBON = names("energy_kwh location_gco2e market_gco2e embodied_gco2e")

_CARBON_TOTALS = names(
    "measured_total of_nodes_total unbilled_total assigned_total estimated_total allocated_total "
    "unallocated_total measured_difference difference"
)

CARBON_CONSERVATION = Suite(
    table="fct_carbon_conservation",
    partition="billing_period",
    grain=names("billing_period metric"),
    columns=(*names("billing_period metric"), *_CARBON_TOTALS),
    checks=(
        *not_null("billing_period", *_CARBON_TOTALS),
        one_of("metric", _CARBON),
        *between(
            "difference",
            "measured_difference",
            high=0,
            hint="Energy or emissions were lost or invented between what is measured or estimated "
            "and what is allocated: build the month again.",
        ),
    ),
    always_filled=False,
)

CARBON_COVERAGE = Suite(
    table="fct_carbon_coverage",
    partition="billing_period",
    grain=names(
        "billing_period source provider_name service_category service_name billing_currency "
        "carbon_basis reason"
    ),
    columns=(
        *names(
            "billing_period source provider_name service_category service_name billing_currency "
            "carbon_basis reason effective_cost charge_count"
        ),
        *_CARBON,
    ),
    money=("effective_cost",),
    checks=(
        *not_null("billing_period", "source", "effective_cost", "charge_count"),
        one_of("carbon_basis", ("measured", "estimated")),
        *not_null(
            "reason",
            where="carbon_basis is null",
            suffix="_where_unknown",
            hint="What is not known needs a reason: build the month again.",
        ),
    ),
    always_filled=False,
)

TEAMS = Suite(
    table="dim_teams",
    partition="billing_period",
    grain=names("billing_period team valid_from"),
    columns=names(
        "billing_period team business_unit product cost_center valid_from valid_until is_declared"
    ),
    checks=not_null("billing_period", "team", "valid_from", "valid_until", "is_declared"),
    always_filled=False,
)

UNIT_COSTS = Suite(
    table="fct_unit_costs_daily",
    partition="billing_period",
    grain=names("unit day billing_currency"),
    columns=names(
        "billing_period day unit metric per billing_currency total_cost quantity unit_cost "
        "energy_kwh location_gco2e market_gco2e embodied_gco2e reason"
    ),
    money=("total_cost",),
    checks=(
        *not_null("billing_period", "day", "unit", "metric", "billing_currency", "total_cost"),
        *not_null(
            "unit_cost",
            where="reason is null",
            suffix="_unless_told_why",
            hint="A unit cost that is not known says why: build the month again.",
        ),
    ),
    always_filled=False,
)


UNIT_CARBON = Suite(
    table="fct_unit_carbon_daily",
    partition="billing_period",
    grain=names("unit day"),
    columns=(*names("billing_period day unit metric per quantity sci reason"), *_CARBON),
    checks=(
        *not_null("billing_period", "day", "unit", "metric", "per"),
        *not_null(
            "sci",
            where="reason is null",
            suffix="_where_known",
            hint="An SCI without a reason has a value: build the month again.",
        ),
    ),
    always_filled=False,
)
BUDGET_COSTS = Suite(
    table="fct_budget_costs_daily",
    partition="billing_period",
    grain=names("budget day billing_currency"),
    columns=names("billing_period day budget billing_currency total_cost usage_cost"),
    money=("total_cost", "usage_cost"),
    checks=not_null(
        "billing_period", "day", "budget", "billing_currency", "total_cost", "usage_cost"
    ),
    always_filled=False,
)

BUDGETS = Suite(
    table="fct_budgets_monthly",
    partition="billing_period",
    grain=names("billing_period budget billing_currency"),
    columns=names(
        "billing_period budget metric billing_currency period period_start period_end "
        "period_amount planned billed_until planned_to_date actual remaining burn reason"
    ),
    money=("period_amount", "planned", "planned_to_date", "actual", "remaining"),
    checks=(
        *not_null("billing_period", "budget", "metric", "billing_currency", "actual"),
        *not_null(
            "planned",
            where="reason is null",
            suffix="_unless_told_why",
            hint="What is planned is not known and nobody says why: build the month again.",
        ),
    ),
    always_filled=False,
)

CHARGEBACK = Suite(
    table="fct_chargeback_monthly",
    partition="billing_period",
    grain=names(
        "billing_period business_unit team cost_center provider_name service_name "
        "billing_currency price_list_entry"
    ),
    columns=names(
        "billing_period business_unit team cost_center provider_name service_name "
        "billing_currency price_list_entry effective_cost margin charged"
    ),
    money=("effective_cost", "margin", "charged"),
    checks=(
        *not_null("billing_period", "billing_currency", "effective_cost", "margin", "charged"),
        no_difference(
            "cost_equals_conservation",
            frame="against_conservation",
            hint="What is shown back is not the bill: build the month again.",
        ),
    ),
    frames={
        "against_conservation": Frame(
            sql="""
                with shown as (
                    select billing_period, billing_currency, sum(effective_cost) as total
                    from {table} group by all
                ),
                billed as (
                    select billing_period, billing_currency, sum(billed_total) as total
                    from {fct_allocation_conservation}
                    where metric = 'effective_cost' group by all
                )
                select billed.billing_period, billed.billing_currency,
                    case when coalesce(shown.total, 0) = billed.total then '0'
                        else cast(coalesce(shown.total, 0) - billed.total as varchar)
                    end as difference
                from billed left join shown
                    on billed.billing_period = shown.billing_period
                    and billed.billing_currency is not distinct from shown.billing_currency
            """,
            columns=("billing_period", "billing_currency", "effective_cost"),
            needs=("fct_allocation_conservation",),
        ),
    },
)
