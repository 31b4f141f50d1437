with

published as (

    select * from {{ published(source('in_force', 'fct_cluster_capacity_daily')) }}

),

final as (

    select
        -- ids
        cluster,

        -- numbers
        {% for name, one in node_resources().items() -%}
        {{ one.hours }},
        allocatable_{{ one.hours }},
        {{ name }}_hourly_cost,
        {% endfor %}
        -- times
        day

    from published

)

select * from final
