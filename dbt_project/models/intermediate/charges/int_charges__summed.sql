{%- set grain = [
    'source',
    'billing_period',
    'provider_name',
    'billing_account_id',
    'sub_account_id',
    'sub_account_name',
    'service_category',
    'service_name',
    'region_id',
    'resource_id',
    'resource_name',
    'resource_type',
    'charge_category',
    'charge_class',
    'sku_id',
    'sku_meter',
    'consumed_unit',
    'commitment_discount_status',
    'billing_currency',
    'pricing_currency',
] -%}

with

charges as (

    select
        *,
        cast(charge_period_start as date) as charge_date,
        {{ map_key('tags') }} as tags_key
    from {{ ref('stg_focus__charges') }}

),

summed as (

    select
        {{ grain | join(',\n        ') }},
        charge_date,
        {{ map_of_key('tags_key') }} as tags,
        {% for metric in ['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost'] -%}
        {{ money_sum(metric, grain) }} as {{ metric }},
        {% endfor -%}
        sum(consumed_quantity) as consumed_quantity,
        count(*) as charge_count
    from charges
    group by {{ grain | join(', ') }}, charge_date, tags_key

)

select * from summed
