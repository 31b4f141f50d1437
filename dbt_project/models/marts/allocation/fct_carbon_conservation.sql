{%- set totals = ['measured', 'of_nodes', 'unbilled', 'assigned', 'estimated', 'allocated',
    'unallocated'] -%}

with

workloads as (

    select
        *,
        cast({{ dbt.date_trunc('month', 'day') }} as date) as billing_period
    from {{ ref('int_workload_carbon__claimed') }}

),

charges as (

    select * from {{ ref('int_costs__emitted') }}
    where {{ within(billing_window()) }}

),

allocated as (

    select * from {{ ref('fct_allocated_costs_daily') }}
    where {{ within(billing_window()) }}

),

every_part as (

    select
        billing_period,
        case claimed_by when 'nodes' then 'of_nodes' when 'nobody' then 'unbilled' end as part,
        'measured' as whole,
        {{ carbon_metrics() | join(',\n        ') }}
    from workloads
    where {{ within(billing_window()) }}
    union all
    select
        billing_period,
        case when carbon_basis = 'measured' then 'assigned' else 'estimated' end as part,
        cast(null as {{ dbt.type_string() }}) as whole,
        {{ carbon_metrics() | join(',\n        ') }}
    from charges
    union all
    select
        billing_period,
        case when team is null then 'unallocated' else 'allocated' end as part,
        cast(null as {{ dbt.type_string() }}) as whole,
        {{ carbon_metrics() | join(',\n        ') }}
    from allocated

),

metrics as (

    {{ value_rows(carbon_metrics(), 'metric') | indent(4) }}

),

by_metric as (

    select
        every_part.billing_period,
        metrics.metric,
        every_part.part,
        every_part.whole,
        coalesce({{ cost_named('metrics.metric', carbon_metrics()) }}, 0) as amount
    from every_part
    cross join metrics

),

summed as (

    select
        billing_period,
        metric,
        {% for total in totals -%}
        sum(case when '{{ total }}' in (part, whole) then amount else 0 end) as {{ total }}_total
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from by_metric
    group by billing_period, metric

),

final as (

    select
        *,
        measured_total - of_nodes_total - unbilled_total - assigned_total as measured_difference,
        assigned_total + estimated_total - allocated_total - unallocated_total as difference
    from summed

)

select * from final
