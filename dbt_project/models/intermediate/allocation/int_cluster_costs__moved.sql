{{ config(materialized='table') }}

{%- set group = [
    'source', 'billing_period', 'charge_date', 'provider_name', 'billing_account_id',
    'sub_account_id', 'sub_account_name', 'service_category', 'service_name', 'region_id',
    'charge_category', 'charge_class', 'billing_currency', 'cluster', 'team', 'environment',
    'business_unit', 'cost_center', 'is_node',
] -%}
{%- set made = {
    'resource': 'resource',
    'namespace': 'namespace',
    'resource_name': 'nullif(' ~ dbt.split_part('resource', "'/'", 3) ~ ", '')",
    'resource_type': 'nullif(' ~ dbt.split_part('resource', "'/'", 1) ~ ", '')",
    'cost_part': 'cost_part',
} -%}
{%- set columns = cost_columns() + tagged_dimensions() -%}

with

costs as (

    select
        *,
        cast(null as {{ dbt.type_string() }}) as cost_part,
        case when {{ charged_for() }} = 'node' then 1 else 0 end as is_node
    from {{ ref('int_costs__emitted') }}
    where cluster is not null and namespace is null

),

clusters as (

    select * from {{ ref('int_clusters__measured') }}
    where reason is null

),

shares as (

    select * from {{ ref('int_cluster_costs__shares') }}

),

charged as (

    select costs.*
    from costs
    inner join clusters on costs.cluster = clusters.cluster and costs.charge_date = clusters.day

),

summed as (

    select
        {{ group | join(',\n        ') }},
        {%- for metric in ledger_metrics() %}
        {{ money_sum(metric, group) }} as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from charged
    group by {{ group | join(', ') }}

),

parted as (

    select
        summed.*,
        shares.namespace,
        shares.resource,
        shares.cost_part,
        shares.share,
        shares.largest_first
    from summed
    inner join shares
        on
            summed.cluster = shares.cluster
            and summed.charge_date = shares.day
            and summed.is_node = shares.is_node

),

received as (

    select
        {{ group | join(',\n        ') }},
        namespace,
        resource,
        cost_part,
        {%- for metric in ledger_metrics() %}
        {{ received_part(metric, group) }} as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from parted

),

final as (

    -- what is given is negated where it came from
    select
        {{ columns | join(',\n        ') }},
        tag_set_id,
        {%- for metric in ledger_metrics() %}
        -{{ metric }} as {{ metric }},
        {%- endfor %}
        'given' as line
    from charged
    union all
    select
        {%- for column in columns %}
        {% if column in made -%}
        {{ made[column] }} as {{ column }},
        {%- elif column in group -%}
        {{ column }},
        {%- else -%}
        cast(null as {{ dbt.type_string() }}) as {{ column }},
        {%- endif -%}
        {%- endfor %}
        cast(null as {{ dbt.type_string() }}) as tag_set_id,
        {%- for metric in ledger_metrics() %}
        {{ metric }},
        {%- endfor %}
        'received' as line
    from received

)

select * from final
