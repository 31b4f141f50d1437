{%- set keys = ['source', 'billing_period', 'provider_name', 'service_category', 'service_name',
    'sku_id', 'sku_meter', 'consumed_unit'] -%}

with

costs as (

    select * from {{ ref('stg_in_force__costs_daily') }}

),

skus as (

    select * from {{ ref('int_skus__powered') }}

),

intensities as (

    select * from {{ ref('int_intensities__daily') }}

),

powered as (

    select
        costs.*,
        skus.kind,
        skus.kwh_per_unit * cast(costs.consumed_quantity as double) as drawn_kwh,
        skus.embodied_gco2e_per_unit * cast(costs.consumed_quantity as double) as made_gco2e,
        case
            when costs.charge_category != 'Usage' then 'nothing was used'
            when costs.consumed_quantity is null then 'its quantity is not told'
            when skus.source is null then 'its SKU is not known'
            else skus.reason
        end as energy_reason
    from costs
    left join skus
        on
            costs.charge_category = 'Usage'
            {%- for key in keys %}
            and {{ same('costs.' ~ key, 'skus.' ~ key) }}
            {%- endfor %}

),

final as (

    select
        {% for column in daily_cost_columns() -%}
        powered.{{ column }},
        {% endfor -%}
        powered.kind,
        powered.energy_reason,
        cast(powered.drawn_kwh as decimal(28, 10)) as energy_kwh,
        cast(powered.drawn_kwh * intensities.location_gco2e_per_kwh as decimal(28, 10))
            as location_gco2e,
        cast(powered.drawn_kwh * intensities.market_gco2e_per_kwh as decimal(28, 10))
            as market_gco2e,
        cast(powered.made_gco2e as decimal(28, 10)) as embodied_gco2e,
        case
            when powered.region_id is null then 'its region is not told'
            when intensities.region is null then 'no intensity of its region is known'
            else intensities.reason
        end as location_reason
    from powered
    left join intensities
        on powered.charge_date = intensities.day and powered.region_id = intensities.region

)

select * from final
