{%- set grain = ['billing_period', 'source', 'billing_currency'] -%}

with

billed as (

    select * from {{ ref('stg_in_force__costs_daily') }}
    where {{ within(billing_window()) }}

),

allocated as (

    select * from {{ ref('fct_allocated_costs_daily') }}
    where {{ within(billing_window()) }}

),

totals as (

    {% for metric in cost_metrics() -%}
    select
        {{ grain | join(',\n        ') }},
        '{{ metric }}' as metric,
        {{ metric }} as billed_total,
        cast(0 as decimal(38, 20)) as allocated_total,
        cast(0 as decimal(38, 20)) as unallocated_total,
        cast(0 as decimal(38, 20)) as given_total,
        cast(0 as decimal(38, 20)) as received_total
    from billed
    union all
    select
        {{ grain | join(',\n        ') }},
        '{{ metric }}' as metric,
        cast(0 as decimal(38, 20)) as billed_total,
        case when team is not null then {{ metric }} end as allocated_total,
        case when team is null then {{ metric }} end as unallocated_total,
        case when line = 'given' then {{ metric }} end as given_total,
        case when line = 'received' then {{ metric }} end as received_total
    from allocated
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

compared as (

    select
        {{ grain | join(',\n        ') }},
        cast(metric as {{ dbt.type_string() }}) as metric,
        {% for total in ['billed', 'allocated', 'unallocated', 'given', 'received'] -%}
        {%- set column = total ~ '_total' -%}
        coalesce({{ money_sum(column, grain) }}, 0) as {{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from totals
    group by {{ grain | join(', ') }}, metric

),

final as (

    select
        *,
        billed_total - allocated_total - unallocated_total as difference
    from compared

)

select * from final
