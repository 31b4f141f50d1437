{%- set units = var('allocation').units -%}
{%- set string, rows = dbt.type_string(), [] -%}
{%- for unit in units -%}
    {%- do rows.append([
        loop.index, unit.name, unit.metric, unit.cost, unit.per, unit.from, unit.until
    ]) -%}
{%- endfor -%}
{%- set scopes = units | map(attribute='of') | list -%}

with

costs as (

    select * from {{ ref('int_allocated_costs__by_day') }}

),

metrics as (

    select * from {{ ref('stg_in_force__business_metrics') }}

),

billed as (

    select * from {{ ref('int_sources__billed') }}

),

units as (

    {{ inline_rows({
        'number': 'integer',
        'unit': string,
        'metric': string,
        'cost_metric': string,
        'per': 'integer',
        'valid_from': 'date',
        'valid_until': 'date',
    }, rows) | indent(4) }}

),

of_units as (

    select
        units.number,
        costs.billing_period,
        costs.source,
        costs.day,
        costs.billing_currency,
        {% for metric in carbon_metrics() -%}
        costs.{{ metric }},
        {% endfor -%}
        {{ cost_named('units.cost_metric') }} as counted_cost
    from costs
    inner join units
        on
            costs.day between units.valid_from and units.valid_until
            and {{ is_of(scopes, 'units.number', 'costs') }}

),

cost_days as (

    select
        number,
        billing_period,
        day,
        billing_currency,
        {% for metric in carbon_metrics() -%}
        sum({{ metric }}) as {{ metric }},
        {% endfor -%}
        {{ money_sum('counted_cost', ['billing_currency']) }} as total_cost
    from of_units
    group by number, billing_period, day, billing_currency

),

-- a metric that does not say whose it is counts for all
quantity_days as (

    select
        units.number,
        metrics.day,
        sum(metrics.quantity) as quantity
    from metrics
    inner join units
        on
            lower(metrics.metric) = lower(units.metric)
            and metrics.day between units.valid_from and units.valid_until
            and {{ is_of(scopes, 'units.number', 'metrics', otherwise='true') }}
    group by units.number, metrics.day

),

-- the days that have a bill by every source that bills of a unit
reach as (

    select
        of_units.number,
        of_units.billing_period,
        of_units.billing_currency,
        max(of_units.day) as last_day,
        min(billed.billed_until) as billed_until
    from of_units
    left join billed
        on
            of_units.source = billed.source and of_units.billing_period = billed.billing_period
    group by of_units.number, of_units.billing_period, of_units.billing_currency

),

days as (

    select
        number,
        billing_period,
        billing_currency,
        day
    from cost_days
    union
    select
        reach.number,
        reach.billing_period,
        reach.billing_currency,
        quantity_days.day
    from reach
    inner join quantity_days
        on
            reach.number = quantity_days.number
            and quantity_days.day between reach.billing_period and reach.last_day

),

final as (

    select
        days.billing_period,
        days.day,
        units.unit,
        units.metric,
        units.per,
        days.billing_currency,
        coalesce(cost_days.total_cost, 0) as total_cost,
        {% for metric in carbon_metrics() -%}
        cost_days.{{ metric }},
        {% endfor -%}
        quantity_days.quantity,
        case
            when quantity_days.quantity is null then 'no quantity was delivered'
            when quantity_days.quantity = 0 then 'the quantity is zero'
            when days.day > reach.billed_until then 'not every source has billed the day'
        end as reason
    from days
    inner join units on days.number = units.number
    inner join reach
        on
            days.number = reach.number
            and days.billing_period = reach.billing_period
            and days.billing_currency = reach.billing_currency
    left join cost_days
        on
            days.number = cost_days.number
            and days.day = cost_days.day
            and days.billing_period = cost_days.billing_period
            and days.billing_currency = cost_days.billing_currency
    left join quantity_days
        on days.number = quantity_days.number and days.day = quantity_days.day

)

select
    billing_period,
    day,
    unit,
    metric,
    per,
    billing_currency,
    total_cost,
    quantity,
    case when reason is null then {{ scaled('total_cost', 'per', 'quantity') }} end as unit_cost,
    {% for metric in carbon_metrics() -%}
    {{ metric }},
    {% endfor -%}
    reason
from final
