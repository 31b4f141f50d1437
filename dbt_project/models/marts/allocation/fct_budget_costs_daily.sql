{%- set plans = var('allocation').plans -%}
{%- set string, rows = dbt.type_string(), [] -%}
{%- for plan in plans -%}
    {%- do rows.append([loop.index, plan.name, plan.month, plan.metric]) -%}
{%- endfor -%}

with

costs as (

    select * from {{ ref('int_allocated_costs__by_day') }}

),

plans as (

    {{ inline_rows(
        {'number': 'integer', 'budget': string, 'billing_period': 'date', 'metric': string}, rows
    ) | indent(4) }}

),

of_budgets as (

    select
        plans.budget,
        costs.billing_period,
        costs.day,
        costs.billing_currency,
        costs.is_usage,
        {{ cost_named('plans.metric') }} as counted_cost
    from costs
    inner join plans
        on
            costs.billing_period = plans.billing_period
            and {{ is_of(plans | map(attribute='of') | list, 'plans.number', 'costs') }}

),

summed as (

    select
        billing_period,
        day,
        budget,
        billing_currency,
        {{ money_sum('counted_cost', ['billing_currency']) }} as total_cost,
        coalesce(sum(case when is_usage = 1 then counted_cost end), 0) as usage_cost
    from of_budgets
    group by billing_period, day, budget, billing_currency

)

select * from summed
