with

costs as (

    select * from {{ ref('stg_in_force__costs_daily') }}

),

capacity as (

    select * from {{ ref('stg_in_force__clusters_daily') }}

),

workloads as (

    select * from {{ ref('int_cluster_workloads__held') }}

),

charged as (

    select
        cluster,
        charge_date as day,
        max(case when namespace is not null and service_category = 'Compute' then 1 else 0 end)
            as names_workloads
    from costs
    where cluster is not null
    group by cluster, charge_date
    having max(case when namespace is null then 1 else 0 end) = 1

),

held as (

    select
        cluster,
        day,
        {% for name in node_resources() -%}
        cast(sum({{ name }}_held) as double) as {{ name }}_held{% if not loop.last %},{% endif %}
        {% endfor %}
    from workloads
    group by cluster, day

),

joined as (

    select
        charged.cluster,
        charged.day,
        charged.names_workloads,
        held.cluster is not null as has_workloads,
        {% for name, one in node_resources().items() -%}
        capacity.{{ name }}_hourly_cost,
        coalesce(capacity.{{ one.hours }}, 0) as {{ name }}_capacity,
        {{ may_be_held('capacity', one.hours) }} as {{ name }}_allocatable,
        coalesce(held.{{ name }}_held, 0) as {{ name }}_held{% if not loop.last %},{% endif %}
        {% endfor %}
    from charged
    left join capacity on charged.cluster = capacity.cluster and charged.day = capacity.day
    left join held on charged.cluster = held.cluster and charged.day = held.day

),

-- prices that were measured count where there is one of everything that the nodes have
priced as (

    select
        *,
        {% for name, one in node_resources().items() -%}
        {{ name }}_capacity * case
            when {{ prices_are_measured() }} then coalesce({{ name }}_hourly_cost, 0)
            else {{ one.price }}
        end as {{ name }}_value{% if not loop.last %},{% endif %}
        {% endfor %}
    from joined

),

final as (

    select
        cluster,
        day,
        {% for name in node_resources() -%}
        {{ name }}_capacity,
        {{ name }}_allocatable,
        {{ name }}_held,
        {{ name }}_value / nullif({{ over_node_resources('{}_value') }}, 0) as {{ name }}_weight,
        {% endfor -%}
        case
            when names_workloads = 1 then 'its workloads are billed one by one'
            when not {{ over_node_resources('{}_value') }} > 0
                then 'the capacity of its nodes was not measured'
            when not has_workloads then 'no workload of it was measured'
        end as reason
    from priced

)

select * from final
