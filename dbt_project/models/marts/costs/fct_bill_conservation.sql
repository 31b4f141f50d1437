{%- set metrics = ['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost'] -%}
{%- set grain = ['billing_period', 'source', 'billing_currency'] -%}

with

deliveries as (

    select * from {{ ref('base_landing__billing_deliveries') }}

),

landing as (

    select
        totals.*,
        deliveries.partition_date as billing_period
    from {{ landing_totals(source('focus', 'charges')) }} as totals
    inner join deliveries
        on
            totals.source = deliveries.source
            and totals.delivery_id = deliveries.delivery_id

),

staging as (

    select * from {{ ref('stg_focus__charges') }}

),

mart as (

    select * from {{ ref('fct_costs_daily') }}
    where {{ within(billing_window()) }}

),

{% for stage in ['landing', 'staging', 'mart'] -%}
{{ stage }}_totals as (

    select
        {{ grain | join(',\n        ') }},
        {% for metric in metrics -%}
        coalesce({{ money_sum(metric, grain) }}, 0) as {{ metric }},
        {% endfor -%}
        count(*) as row_count
    from {{ stage }}
    group by {{ grain | join(', ') }}

),

{% endfor -%}
totals as (

    {% for stage in ['landing', 'staging', 'mart'] -%}
    {% for metric in metrics -%}
    select
        {{ grain | join(',\n        ') }},
        '{{ stage }}' as stage,
        '{{ metric }}' as metric,
        {{ metric }} as total
    from {{ stage }}_totals
    {% if not loop.last %}union all{% endif %}
    {% endfor -%}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

side_by_side as (

    select
        {{ grain | join(',\n        ') }},
        cast(metric as {{ dbt.type_string() }}) as metric,
        coalesce(sum(case when stage = 'landing' then total end), 0) as landing_total,
        coalesce(sum(case when stage = 'staging' then total end), 0) as staging_total,
        coalesce(sum(case when stage = 'mart' then total end), 0) as mart_total
    from totals
    group by {{ grain | join(', ') }}, metric

),

compared as (

    select
        *,
        landing_total - mart_total as difference
    from side_by_side

)

select * from compared
