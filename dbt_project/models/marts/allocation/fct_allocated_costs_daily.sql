with

costs as (

    select * from {{ ref('int_costs__owned') }}

),

moved as (

    select * from {{ ref('int_shared_costs__moved') }}

),

lines as (

    select
        {{ (cost_columns() + dimensions() + ledger_metrics()) | join(',\n        ') }},
        rule,
        pool,
        line,
        consumed_quantity,
        charge_count
    from costs
    union all
    select
        {{ (cost_columns() + dimensions() + ledger_metrics()) | join(',\n        ') }},
        rule,
        pool,
        line,
        cast(null as decimal(38, 20)) as consumed_quantity,
        0 as charge_count
    from moved

),

summed as (

    select
        -- ids and times of the grain
        {% for column in cost_columns() if column != 'namespace' -%}
        {{ column }},
        {% endfor %}
        -- strings
        {% for dimension in dimensions() -%}
        {{ dimension }},
        {% endfor -%}
        line,
        pool,
        rule,

        -- numbers
        {% for metric in ledger_metrics() -%}
        {{ money_sum(metric, ['billing_currency']) }} as {{ metric }},
        {% endfor -%}
        sum(consumed_quantity) as consumed_quantity,
        cast(sum(charge_count) as bigint) as charge_count

    from lines
    where {{ within(billing_window()) }}
    group by all

)

select * from summed
