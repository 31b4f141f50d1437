"""What is expected of the marts of the billing clock, as data.

How it is judged is in `audit`; the marts of the signals clock are in `signals`.
"""

from __future__ import annotations

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

CHARGE_CATEGORIES = ("Usage", "Purchase", "Tax", "Credit", "Adjustment")
"""FOCUS 1.2, ChargeCategory: the allowed values."""

COST_METRICS = ("billed_cost", "effective_cost", "list_cost", "contracted_cost")

SUMS_BY_METRIC = """
    with sums as (
        select billing_period, source, billing_currency,
            unnest(['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost']) as metric,
            unnest([sum(billed_cost), sum(effective_cost), sum(list_cost), sum(contracted_cost)])
                as total
        from {table} group by all
    )
"""
"""Opens a frame that holds a mart's sums against a conservation mart."""

COSTS = Suite(
    table="fct_costs_daily",
    partition="billing_period",
    grain=names(
        "source billing_period charge_date provider_name billing_account_id "
        "sub_account_id sub_account_name service_category service_name "
        "region_id resource_id resource_name resource_type resource team "
        "environment business_unit cost_center tag_set_id charge_category charge_class "
        "sku_id sku_meter consumed_unit commitment_discount_status billing_currency "
        "pricing_currency"
    ),
    columns=names(
        "source billing_period charge_date provider_name billing_account_id "
        "sub_account_id sub_account_name service_category service_name "
        "region_id resource_id resource_name resource_type resource team "
        "environment business_unit cost_center tag_set_id charge_category charge_class "
        "sku_id sku_meter consumed_unit commitment_discount_status billing_currency "
        "pricing_currency namespace cluster billed_cost effective_cost list_cost contracted_cost "
        "consumed_quantity charge_count"
    ),
    money=COST_METRICS,
    checks=(
        *not_null(
            "source",
            "billing_period",
            "charge_date",
            "billing_account_id",
            "billed_cost",
            "effective_cost",
        ),
        *not_null(
            "billing_currency",
            where="billed_cost <> 0 or effective_cost <> 0",
            suffix="_where_cost",
            hint="A cost without its currency cannot be added to anything: have the export "
            "corrected and delivered again.",
        ),
        one_of("charge_category", CHARGE_CATEGORIES),
        one_of("charge_class", ("Correction",)),
        *between("charge_count", low=1),
        no_difference(
            "cost_equals_conservation",
            frame="against_conservation",
            hint="The published rows do not add up to the mart total that was checked against "
            "landing: build the mart again.",
        ),
        Check(
            name="account_day_not_collapsed",
            expectation="expect_column_values_to_be_between",
            column="share_of_usual",
            kwargs={"min_value": 0.1},
            frame="account_days",
            severity="warn",
            hint="An account's day cost under a tenth of its usual day: ask whether the export "
            "is complete.",
        ),
    ),
    frames={
        "against_conservation": Frame(
            sql=SUMS_BY_METRIC
            + """
                select sums.billing_period, sums.source, sums.billing_currency, sums.metric,
                    case when coalesce(total, 0) = coalesce(mart_total, 0) then '0'
                        else cast(coalesce(total, 0) - coalesce(mart_total, 0) as varchar) end
                        as difference
                from sums join {fct_bill_conservation} as conservation
                    on conservation.billing_period = sums.billing_period
                    and conservation.source = sums.source
                    and conservation.metric = sums.metric
                    and conservation.billing_currency
                        is not distinct from sums.billing_currency
            """,
            columns=("billing_period", "source", "billing_currency", *COST_METRICS),
            needs=("fct_bill_conservation",),
        ),
        # Complete days only: an export's newest day is often still filling up. Usage alone,
        # because purchases, taxes and credits come in lumps.
        "account_days": Frame(
            sql="""
                with days as (
                    select provider_name, billing_account_id, billing_currency, charge_date,
                        cast(sum(effective_cost) as double) as cost_of_day
                    from {table} where charge_category = 'Usage' group by all
                ),
                usual as (
                    select *, median(cost_of_day) over (
                            partition by provider_name, billing_account_id, billing_currency
                            order by charge_date rows between 14 preceding and 1 preceding
                        ) as usual_cost,
                        count(*) over (
                            partition by provider_name, billing_account_id, billing_currency
                            order by charge_date rows between 14 preceding and 1 preceding
                        ) as days_before,
                        lead(charge_date) over (
                            partition by provider_name, billing_account_id, billing_currency
                            order by charge_date
                        ) as next_date
                    from days
                )
                select provider_name, billing_account_id, billing_currency, charge_date,
                    cost_of_day / usual_cost as share_of_usual
                from usual
                where days_before >= 7 and usual_cost > 0 and next_date is not null
            """,
            columns=names(
                "provider_name billing_account_id billing_currency charge_date "
                "charge_category effective_cost"
            ),
        ),
    },
)

_COMMITMENT = (
    "source billing_period charge_date provider_name billing_account_id sub_account_id "
    "commitment_discount_id commitment_discount_category commitment_discount_type "
    "commitment_discount_unit billing_currency"
)

COMMITMENTS = Suite(
    table="fct_commitments_daily",
    partition="billing_period",
    grain=names(_COMMITMENT),
    columns=names(
        f"{_COMMITMENT} commitment_discount_name used_quantity unused_quantity purchased_quantity "
        "used_cost unused_cost purchase_cost used_list_cost used_contracted_cost "
        "utilisation_basis utilisation"
    ),
    money=("used_cost", "unused_cost", "purchase_cost", "used_list_cost", "used_contracted_cost"),
    checks=(
        *not_null("source", "billing_period", "charge_date", "commitment_discount_id"),
        one_of("utilisation_basis", ("quantity", "cost")),
        *between(
            "utilisation",
            high=1,
            severity="warn",
            hint="More was used than there is, or less than nothing was unused: look at "
            "corrections of the commitment.",
        ),
    ),
    always_filled=False,
)

COMMITMENT_COVERAGE = Suite(
    table="fct_commitment_coverage_daily",
    partition="billing_period",
    grain=names(
        "source billing_period charge_date provider_name billing_account_id sub_account_id "
        "service_name region_id billing_currency"
    ),
    columns=names(
        "source billing_period charge_date provider_name billing_account_id sub_account_id "
        "service_name region_id billing_currency committed_list_cost on_demand_list_cost "
        "committed_cost on_demand_cost unused_cost dynamic_cost coverage effective_savings_rate"
    ),
    money=(
        "committed_list_cost",
        "on_demand_list_cost",
        "committed_cost",
        "on_demand_cost",
        "unused_cost",
        "dynamic_cost",
    ),
    checks=(
        *not_null("source", "billing_period", "charge_date"),
        *between(
            "coverage",
            high=1,
            severity="warn",
            hint="List costs of usage are below zero: look at corrections of the day.",
        ),
    ),
    always_filled=False,
)

TAG_SETS = Suite(
    table="dim_tag_sets",
    partition="billing_period",
    grain=names("billing_period tag_set_id tag_key"),
    columns=names("billing_period tag_set_id tag_key tag_value"),
    checks=not_null("billing_period", "tag_set_id", "tag_key", "tag_value"),
    always_filled=False,
)

SERVICES = Suite(
    table="dim_services",
    partition="billing_period",
    grain=names(
        "source billing_period provider_name service_name service_category service_subcategory"
    ),
    columns=names(
        "source billing_period provider_name service_name service_category service_subcategory "
        "first_charged_on last_charged_on charge_count"
    ),
    checks=not_null("source", "billing_period", "service_name", "first_charged_on"),
    always_filled=False,
)

REGIONS = Suite(
    table="dim_regions",
    partition="billing_period",
    grain=names("source billing_period provider_name region_id region_name"),
    columns=names(
        "source billing_period provider_name region_id region_name first_charged_on "
        "last_charged_on charge_count"
    ),
    checks=not_null("source", "billing_period", "region_id", "first_charged_on"),
    always_filled=False,
)

SKUS = Suite(
    table="dim_skus",
    partition="billing_period",
    grain=names(
        "source billing_period provider_name service_category service_name sku_id sku_meter "
        "consumed_unit"
    ),
    columns=names(
        "source billing_period provider_name service_category service_name sku_id sku_meter "
        "consumed_unit service_subcategory charge_description instance_type instance_family "
        "core_count memory_gib gpu_count gpu_model disk_type storage_class usage_kind "
        "first_charged_on last_charged_on charge_count"
    ),
    checks=(
        *not_null("source", "billing_period", "first_charged_on", "charge_count"),
        *between("core_count", "memory_gib", "gpu_count"),
    ),
    always_filled=False,
)

COVERAGE = Suite(
    table="fct_tag_coverage_daily",
    partition="billing_period",
    grain=names("billing_period charge_date provider_name billing_currency tag"),
    columns=names(
        "billing_period charge_date provider_name billing_currency tag "
        "tagged_cost untagged_cost total_cost"
    ),
    money=("tagged_cost", "untagged_cost", "total_cost"),
    checks=(
        *not_null(
            "billing_period", "charge_date", "tag", "tagged_cost", "untagged_cost", "total_cost"
        ),
        one_of("tag", ("team", "environment", "business_unit", "cost_center")),
        no_difference(
            "tagged_and_untagged_make_total",
            frame="parts",
            hint="Tagged and untagged cost must add up to the total, to the last digit.",
        ),
    ),
    frames={
        "parts": Frame(
            sql="""
                select billing_period, charge_date, provider_name, billing_currency, tag,
                    case when tagged_cost + untagged_cost = total_cost then '0'
                        else coalesce(cast(tagged_cost + untagged_cost - total_cost as varchar),
                            'unknown') end as difference
                from {table}
            """,
            columns=names(
                "billing_period charge_date provider_name billing_currency tag "
                "tagged_cost untagged_cost total_cost"
            ),
        )
    },
)

CONSERVATION = Suite(
    table="fct_bill_conservation",
    partition="billing_period",
    grain=("billing_period", "source", "billing_currency", "metric"),
    columns=names(
        "billing_period source billing_currency metric landing_total "
        "staging_total mart_total difference"
    ),
    money=("landing_total", "staging_total", "mart_total", "difference"),
    checks=(
        *not_null("billing_period", "source", "metric", "difference"),
        one_of("metric", COST_METRICS),
        *(
            no_difference(name, "differences", hint, column)
            for name, column, hint in (
                (
                    "difference_is_zero",
                    "difference",
                    "Cost was lost or added between landing and mart: compare the two totals and "
                    "find the model in which they part.",
                ),
                (
                    "landing_equals_mart",
                    "landing_to_mart",
                    "The difference that the mart states is not the one between its own totals.",
                ),
            )
        ),
    ),
    frames={
        "differences": Frame(
            sql="""
                select billing_period, source, billing_currency, metric,
                    case when difference = 0 then '0'
                        else coalesce(cast(difference as varchar), 'unknown') end as difference,
                    case when coalesce(landing_total, 0) = coalesce(mart_total, 0) then '0'
                        else cast(coalesce(mart_total, 0) - coalesce(landing_total, 0) as varchar)
                        end as landing_to_mart
                from {table}
            """,
            columns=names(
                "billing_period source billing_currency metric difference landing_total mart_total"
            ),
        )
    },
)

_SIDES = (
    "billed_before",
    "billed_after",
    "billed_difference",
    "effective_before",
    "effective_after",
    "effective_difference",
)

RESTATEMENTS = Suite(
    table="fct_restatements",
    partition="billing_period",
    grain=names(
        "billing_period source delivery_id service_name billing_account_id sub_account_id "
        "billing_currency charge_class"
    ),
    columns=names(
        "billing_period source delivery_id known_at before_delivery_id before_known_at "
        "service_name billing_account_id sub_account_id billing_currency charge_class "
        "billed_before billed_after billed_difference effective_before effective_after "
        "effective_difference after_period_end"
    ),
    money=_SIDES,
    always_filled=False,
    checks=(
        *not_null("billing_period", "source", "delivery_id", "before_delivery_id", *_SIDES),
        one_of("charge_class", ("Correction",)),
        no_difference(
            "differences_are_of_their_sides",
            frame="sides",
            hint="What a delivery is said to have changed is not what it says less what the one "
            "before it said: build the mart again.",
        ),
    ),
    frames={
        "sides": Frame(
            sql="""
                with changed as (
                    select billing_period, source, delivery_id, before_delivery_id,
                        billing_currency,
                        unnest(['billed', 'effective']) as metric,
                        unnest([billed_difference, effective_difference]) as difference,
                        unnest([billed_after - billed_before, effective_after - effective_before])
                            as told
                    from {table}
                )
                select billing_period, source, delivery_id, billing_currency, metric,
                    case when sum(difference) = sum(told) then '0'
                        else coalesce(cast(sum(difference) - sum(told) as varchar), 'unknown')
                        end as difference
                from changed group by all
            """,
            columns=names(
                "billing_period source delivery_id before_delivery_id billing_currency "
                "billed_before billed_after billed_difference effective_before effective_after "
                "effective_difference"
            ),
        )
    },
)

CONVERTED = Suite(
    table="fct_costs_converted_daily",
    partition="billing_period",
    grain=names(
        "billing_period source charge_date provider_name billing_account_id sub_account_id "
        "service_name team environment charge_category charge_class billing_currency currency"
    ),
    columns=names(
        "billing_period source charge_date provider_name billing_account_id sub_account_id "
        "service_name team environment charge_category charge_class billing_currency currency "
        "billed_cost effective_cost rate rate_date rate_taken_at converted_billed_cost "
        "converted_effective_cost not_converted"
    ),
    money=(
        "billed_cost",
        "effective_cost",
        "rate",
        "converted_billed_cost",
        "converted_effective_cost",
    ),
    always_filled=False,
    checks=(
        *not_null("billing_period", "charge_date", "currency", "billed_cost", "effective_cost"),
        Check(
            name="converted_or_told_why",
            expectation="expect_column_values_to_be_in_set",
            column="wrong",
            kwargs={"value_set": [0]},
            frame="reasons",
            hint="A cost is either converted by a rate, or says which rate is missing.",
        ),
        Check(
            name="every_cost_has_a_rate",
            expectation="expect_column_values_to_be_in_set",
            column="missing",
            kwargs={"value_set": [0]},
            frame="reasons",
            severity="warn",
            hint="Costs without a rate are not converted: add the rates that not_converted names.",
        ),
    ),
    frames={
        "reasons": Frame(
            sql="""
                select billing_period, billing_currency, currency, not_converted,
                    count(*) filter (
                        (converted_billed_cost is null) <> (not_converted is not null)
                        or (rate is null) <> (not_converted is not null)
                    ) as wrong,
                    count(not_converted) as missing
                from {table} group by all
            """,
            columns=names(
                "billing_period billing_currency currency rate converted_billed_cost not_converted"
            ),
        )
    },
)
