{%- set metrics = ['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost'] -%}
{%- set grain = ['billing_period', 'source', 'billing_currency'] -%}

with

deliveries as (

    select * from {{ ref('base_landing__billing_deliveries') }}

),

landed as (

    select * from {{ landing(source('focus', 'charges')) }}

),

landed_in_force as (

    {{ rows_in_force('landed', 'deliveries', 'charges') | indent(4) }}

),

landing as (

    select
        *,
        partition_date as billing_period
    from landed_in_force

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
        {% for metric in metrics %}
        coalesce(sum({{ metric }}), 0) as {{ metric }}{% if not loop.last %},{% endif %}
        {% endfor %}
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
