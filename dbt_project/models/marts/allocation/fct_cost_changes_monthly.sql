{%- set grain = ['billing_period', 'source', 'provider_name', 'service_name', 'team',
    'billing_currency'] -%}
{%- set unit = grain + ['consumed_unit'] -%}

with

items as (

    select * from {{ ref('int_cost_items__compared') }}
    where {{ within(billing_window()) }}

),

of_units as (

    select
        *,
        sum(cost_before) over of_unit as unit_cost_before,
        sum(quantity_before) over of_unit as unit_quantity_before,
        sum(quantity_after) over of_unit as unit_quantity_after,
        row_number() over (
            partition by {{ unit | join(', ') }}, kind
            order by region_id, sku_id, sku_meter, commitment_discount_status
        ) as item_of_unit
    from items
    window of_unit as (partition by {{ unit | join(', ') }}, kind)

),

-- what the quantity of now would have cost at the price of before; what is new came at its price
priced as (

    select
        *,
        case
            when quantity_before > 0
                then {{ scaled('cost_before', 'quantity_after', 'quantity_before') }}
            else cost_after
        end as cost_at_old_price,
        case
            when item_of_unit > 1 then 0
            when unit_quantity_before > 0
                then {{ scaled('unit_cost_before', 'unit_quantity_after', 'unit_quantity_before') }}
            else null
        end as unit_cost_at_old_mix
    from of_units

),

-- of a unit that is new as a whole nothing was mixed before
parted as (

    select
        *,
        case when kind = 'usage' then cost_after - cost_at_old_price else 0 end as price_effect,
        case
            when kind != 'usage' then 0
            when unit_quantity_before > 0
                then
                    coalesce(unit_cost_at_old_mix, 0)
                    - case when item_of_unit = 1 then unit_cost_before else 0 end
            else cost_at_old_price
        end as quantity_effect,
        case
            when kind != 'usage' or not unit_quantity_before > 0 then 0
            else cost_at_old_price - coalesce(unit_cost_at_old_mix, 0)
        end as mix_effect
    from priced

),

changes as (

    select
        {{ grain | join(',\n        ') }},
        max(until) as compared_until,
        sum(cost_before) as cost_before,
        sum(cost_after) as cost_after,
        sum(cost_after) - sum(cost_before) as change,
        sum(price_effect) as price_effect,
        sum(quantity_effect) as quantity_effect,
        sum(mix_effect) as mix_effect,
        sum(case when kind = 'shared' then cost_after - cost_before else 0 end) as shared_effect,
        sum(case when kind = 'other' then cost_after - cost_before else 0 end) as other_effect
    from parted
    group by {{ grain | join(', ') }}

)

select * from changes
where cost_before != 0 or cost_after != 0
