{%- set carried = cost_columns() + ledger_metrics() + [
    'consumed_quantity', 'charge_count', 'line', 'is_split',
] -%}

with

costs as (

    select * from {{ ref('int_costs__split') }}

),

tags as (

    select * from {{ ref('int_tag_sets__asked') }}

),

labels as (

    select * from {{ ref('int_workload_labels__asked') }}

),

-- what the bill says of a charge goes before the labels of its workload, and these before what the
-- bill says of the nodes that it received a part of
asked as (

    select
        {% for column in carried -%}
        costs.{{ column }},
        {% endfor -%}
        {% for key in asked_tags() -%}
        {% set column = asked_column('tags.' ~ key) -%}
        coalesce(tags.{{ column }}, labels.{{ column }}) as {{ column }},
        {% endfor -%}
        {% for dimension in tagged_dimensions() -%}
        case
            when costs.line = 'received'
                then coalesce(labels.{{ dimension }}, costs.{{ dimension }})
            else coalesce(costs.{{ dimension }}, labels.{{ dimension }})
        end as {{ dimension }},
        {% endfor -%}
        coalesce(tags.tag_count, 0) as tag_count
    from costs
    left join tags
        on costs.billing_period = tags.billing_period and costs.tag_set_id = tags.tag_set_id
    left join labels
        on
            costs.charge_date = labels.day
            and costs.cluster = labels.cluster
            and costs.resource = labels.resource

),

-- what the tag keys of settings say comes after every rule
ruled as (

    select
        {{ carried | join(',\n        ') }},
        {% for key in asked_tags() -%}
        {{ asked_column('tags.' ~ key) }},
        {% endfor -%}
        {{ by_first_rule('business_unit', 'business_unit') }} as business_unit,
        {{ by_first_rule('team', 'team') }} as team,
        {{ by_first_rule('product', 'cast(null as ' ~ dbt.type_string() ~ ')') }} as product,
        {{ by_first_rule('environment', 'environment') }} as environment,
        {{ by_first_rule('cost_center', 'cost_center') }} as cost_center,
        {{ first_rule('team', "case when team is not null then 'tags' end") }} as rule
    from asked

)

select * from ruled
