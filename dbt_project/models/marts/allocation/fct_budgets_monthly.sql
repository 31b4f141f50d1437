{%- set plans = var('allocation').plans -%}
{%- set string, rows = dbt.type_string(), [] -%}
{%- for plan in plans -%}
    {%- do rows.append([
        loop.index, plan.name, plan.metric, plan.currency, plan.period, plan.month,
        plan.period_start, plan.period_end, plan.period_amount, plan.planned,
    ]) -%}
{%- endfor -%}
{%- set scopes = plans | map(attribute='of') | list -%}
{%- set month_end = dbt.last_day('plans.billing_period', 'month') -%}
{%- set days = dbt.datediff('plans.billing_period', month_end, 'day') -%}
{%- set days_billed = dbt.datediff('plans.billing_period', 'reach.billed_until', 'day') -%}

with

costs as (

    select * from {{ ref('fct_budget_costs_daily') }}
    where {{ within(billing_window()) }}

),

by_day as (

    select * from {{ ref('int_allocated_costs__by_day') }}

),

billed as (

    select * from {{ ref('int_sources__billed') }}

),

plans as (

    {{ inline_rows({
        'number': 'integer',
        'budget': string,
        'metric': string,
        'billing_currency': string,
        'period': string,
        'billing_period': 'date',
        'period_start': 'date',
        'period_end': 'date',
        'period_amount': 'decimal(38, 20)',
        'planned': 'decimal(38, 20)',
    }, rows) | indent(4) }}

),

-- how far a month is billed by all who bill of a budget; where none does, by all
reach as (

    select
        plans.number,
        coalesce(
            min(case when by_day.source is not null then billed.billed_until end),
            min(billed.billed_until)
        ) as billed_until
    from plans
    inner join billed on plans.billing_period = billed.billing_period
    left join by_day
        on
            billed.source = by_day.source
            and billed.billing_period = by_day.billing_period
            and plans.billing_currency = by_day.billing_currency
            and {{ is_of(scopes, 'plans.number', 'by_day') }}
    group by plans.number

),

actuals as (

    select
        billing_period,
        budget,
        billing_currency,
        {{ money_sum('total_cost', ['billing_currency']) }} as actual
    from costs
    group by billing_period, budget, billing_currency

),

planned as (

    select
        plans.*,
        reach.billed_until,
        1 + {{ days_billed }} as days_billed,
        1 + {{ days }} as days_of_month,
        coalesce(actuals.actual, 0) as actual
    from plans
    left join reach on plans.number = reach.number
    left join actuals
        on
            plans.budget = actuals.budget
            and plans.billing_period = actuals.billing_period
            and plans.billing_currency = actuals.billing_currency

),

shared as (

    select
        *,
        cast(cast(days_billed as double) / days_of_month as decimal(10, 9)) as billed_share
    from planned

),

final as (

    select
        billing_period,
        budget,
        metric,
        billing_currency,
        period,
        period_start,
        period_end,
        period_amount,
        planned,
        billed_until,
        {{ money_part('planned', 'billed_share') }} as planned_to_date,
        actual,
        planned - actual as remaining,
        case
            when planned != 0 then cast(actual as double) / cast(planned as double)
        end as burn,
        case when billed_until is null then 'nothing is billed for the month yet' end as reason
    from shared
    union all
    select
        plans.billing_period,
        plans.budget,
        plans.metric,
        actuals.billing_currency,
        plans.period,
        plans.period_start,
        plans.period_end,
        cast(null as decimal(38, 20)) as period_amount,
        cast(null as decimal(38, 20)) as planned,
        cast(null as date) as billed_until,
        cast(null as decimal(38, 20)) as planned_to_date,
        actuals.actual,
        cast(null as decimal(38, 20)) as remaining,
        cast(null as double) as burn,
        'the budget is in ' || plans.billing_currency as reason
    from actuals
    inner join plans
        on
            actuals.budget = plans.budget
            and actuals.billing_period = plans.billing_period
            and actuals.billing_currency != plans.billing_currency

)

select * from final
