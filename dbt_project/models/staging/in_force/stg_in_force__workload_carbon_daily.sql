with

published as (

    select * from {{ published(source('in_force', 'fct_workload_carbon_daily')) }}

),

final as (

    select
        -- ids
        cluster,
        resource,

        -- strings
        location_reason,

        -- numbers: decimals, so that sums are the same in whatever order
        {% for metric in carbon_metrics() -%}
        cast({{ metric }} as decimal(28, 10)) as {{ metric }},
        {% endfor %}
        -- times
        day

    from published

)

select * from final
