{%- set grain = ['billing_period', 'charge_date', 'cluster', 'billing_currency'] -%}
{%- set parts = {
    'node_cost': "line = 'charge' and part = 'node'",
    'used_cost': "part = 'node' and cost_part = 'used'",
    'idle_cost': "part = 'node' and cost_part = 'idle'",
    'overhead_cost': "part = 'node' and cost_part = 'overhead'",
    'control_plane_cost': "line = 'charge' and part = 'control_plane'",
    'storage_cost': "line = 'charge' and part = 'storage'",
    'network_cost': "line = 'charge' and part = 'network'",
    'other_cost': "line = 'charge' and part = 'other'",
} -%}

with

costs as (

    select * from {{ ref('int_costs__split') }}
    where
        {{ within(billing_window()) }}
        and cluster is not null
        and (line = 'received' or (line = 'charge' and namespace is null))

),

clusters as (

    select * from {{ ref('int_clusters__measured') }}

),

parted as (

    select
        *,
        {{ charged_for() }} as part
    from costs

),

by_metric as (

    {% for metric in cost_metrics() -%}
    select
        {{ grain | join(',\n        ') }},
        '{{ metric }}' as metric,
        {% for column, of_it in parts.items() -%}
        case when {{ of_it }} then {{ metric }} end as {{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from parted
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

summed as (

    select
        {{ grain | join(',\n        ') }},
        cast(metric as {{ dbt.type_string() }}) as metric,
        {% for column in parts -%}
        coalesce({{ money_sum(column, grain) }}, 0) as {{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from by_metric
    group by {{ grain | join(', ') }}, metric

),

final as (

    select
        summed.*,
        {% for name in node_resources() -%}
        clusters.{{ name }}_capacity as {{ name }}_hours,
        clusters.{{ name }}_allocatable as allocatable_{{ name }}_hours,
        clusters.{{ name }}_held as held_{{ name }}_hours,
        {% endfor -%}
        cast(clusters.reason as {{ dbt.type_string() }}) as reason
    from summed
    inner join clusters
        on summed.cluster = clusters.cluster and summed.charge_date = clusters.day

)

select * from final
