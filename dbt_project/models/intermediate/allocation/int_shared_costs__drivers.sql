{%- set measured = ['cpu_core_hours', 'memory_gib_hours', 'gpu_hours'] -%}

with

costs as (

    select * from {{ ref('int_costs__owned') }}

),

workloads as (

    select * from {{ ref('stg_in_force__workloads_daily') }}

),

-- a workload is whose its costs of the month are, if they are one team's
owners as (

    select
        billing_period,
        resource,
        {%- for dimension in dimensions() %}
        min({{ dimension }}) as {{ dimension }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from costs
    where resource is not null and team is not null
    group by billing_period, resource
    having count(distinct team) = 1

),

of_workloads as (

    select
        owners.billing_period,
        cast(null as {{ dbt.type_string() }}) as billing_currency,
        {%- for dimension in dimensions() %}
        owners.{{ dimension }},
        {%- endfor %}
        {%- for metric in cost_metrics() %}
        cast(null as decimal(38, 20)) as {{ metric }},
        {%- endfor %}
        {%- for driver in measured %}
        workloads.{{ driver }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from workloads
    inner join owners
        on
            workloads.resource = owners.resource
            and workloads.day >= owners.billing_period
            and workloads.day < {{ dbt.dateadd('month', 1, 'owners.billing_period') }}

),

-- what is shared itself drives nothing
of_costs as (

    select
        billing_period,
        billing_currency,
        {%- for dimension in dimensions() %}
        {{ dimension }},
        {%- endfor %}
        {%- for metric in cost_metrics() %}
        {{ metric }},
        {%- endfor %}
        {%- for driver in measured %}
        cast(null as double) as {{ driver }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from costs
    where team is not null and pool is null

),

final as (

    select * from of_costs
    union all
    select * from of_workloads

)

select * from final
