with

workloads as (

    select * from {{ ref('stg_in_force__workloads_daily') }}

),

-- decimals, so that sums are the same in whatever order
held as (

    select
        cluster,
        day,
        namespace,
        resource,
        {% for name, one in node_resources().items() -%}
        coalesce(sum(cast({{ one.hours }} as decimal(28, 10))), 0) as {{ name }}_held
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from workloads
    group by cluster, day, namespace, resource

)

select * from held
