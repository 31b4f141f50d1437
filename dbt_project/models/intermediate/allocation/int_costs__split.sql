{%- set owners = tagged_dimensions() -%}
{%- set string = dbt.type_string() -%}

with

costs as (

    select
        *,
        cast(null as {{ string }}) as cost_part
    from {{ ref('int_costs__emitted') }}

),

clusters as (

    select * from {{ ref('int_clusters__measured') }}
    where reason is null

),

moved as (

    select * from {{ ref('int_cluster_costs__moved') }}

),

final as (

    select
        {% for column in cost_columns() + owners + ['tag_set_id'] + ledger_metrics() -%}
        costs.{{ column }},
        {% endfor -%}
        costs.consumed_quantity,
        costs.charge_count,
        'charge' as line,
        costs.namespace is null and clusters.cluster is not null as is_split
    from costs
    left join clusters on costs.cluster = clusters.cluster and costs.charge_date = clusters.day
    union all
    select
        {{ (cost_columns() + owners + ['tag_set_id'] + ledger_metrics()) | join(',\n        ') }},
        cast(null as decimal(38, 20)) as consumed_quantity,
        0 as charge_count,
        line,
        line = 'given' as is_split
    from moved

)

select * from final
