with

tags as (

    select * from {{ ref('stg_in_force__tag_sets') }}

),

asked as (

    select
        billing_period,
        tag_set_id,
        {% for key in asked_tags() -%}
        max(case when tag_key = {{ string_literal(key) }} then tag_value end)
            as {{ asked_column('tags.' ~ key) }},
        {% endfor -%}
        count(*) as tag_count
    from tags
    group by billing_period, tag_set_id

)

select * from asked
