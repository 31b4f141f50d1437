with

labels as (

    select
        *,
        replace(label, '_', '') as plain_label
    from {{ ref('stg_in_force__workload_labels') }}

),

asked as (

    select
        day,
        cluster,
        resource,
        {% for key in asked_tags() -%}
        {{ label_called([key]) }} as {{ asked_column('tags.' ~ key) }},
        {% endfor -%}
        {% for dimension in tagged_dimensions() -%}
        {{ label_called(var('tag_keys')[dimension]) }} as {{ dimension }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from labels
    group by day, cluster, resource

)

select * from asked
