with

published as (

    select * from {{ published(source('published', 'fct_workload_carbon_daily')) }}

),

final as (

    select
        day,
        cluster,
        resource,
        {{ dbt.split_part('resource', "'/'", 2) }} as namespace,
        location_reason,
        -- decimals, so that sums are the same in whatever order
        {% for metric in carbon_metrics() -%}
        cast({{ metric }} as decimal(28, 10)) as {{ metric }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from published
    where {{ within(day_window()) }}

)

select * from final
