{%- set grain = [
    'billing_period', 'business_unit', 'team', 'cost_center', 'provider_name', 'service_name',
    'billing_currency',
] -%}
{%- set rows = [] -%}
{%- for price in var('allocation').price_list -%}
    {%- do rows.append([loop.index, price.name, price.markup, price.price]) -%}
{%- endfor -%}

with

allocated as (

    select
        *,
        nullif({{ dbt.split_part('resource', "'/'", 2) }}, '') as namespace
    from {{ ref('fct_allocated_costs_daily') }}
    where {{ within(billing_window()) }}

),

price_list as (

    {{ inline_rows({
        'number': 'integer',
        'price_list_entry': dbt.type_string(),
        'markup': 'decimal(10, 9)',
        'price': 'decimal(16, 12)',
    }, rows) | indent(4) }}

),

priced as (

    select
        {{ grain | join(',\n        ') }},
        effective_cost,
        consumed_quantity,
        {{ first_price() }} as number
    from allocated

),

summed as (

    select
        {{ grain | join(',\n        ') }},
        number,
        {{ money_sum('effective_cost', grain) }} as effective_cost,
        sum(consumed_quantity) as consumed_quantity
    from priced
    group by {{ grain | join(', ') }}, number

),

-- a price is of the quantity to its sixth place
margins as (

    select
        summed.*,
        price_list.price_list_entry,
        case
            when price_list.price is not null
                then
                    cast(
                        cast(summed.consumed_quantity as decimal(22, 6)) * price_list.price
                        as decimal(38, 20)
                    ) - summed.effective_cost
            when price_list.markup is not null
                then {{ money_share('summed.effective_cost', 'price_list.markup') }}
            else cast(0 as decimal(38, 20))
        end as margin
    from summed
    left join price_list on summed.number = price_list.number

),

-- entries of one name hold one after another
final as (

    select
        {{ grain | join(',\n        ') }},
        price_list_entry,
        {{ money_sum('effective_cost', grain) }} as effective_cost,
        {{ money_sum('margin', grain) }} as margin,
        sum(effective_cost + margin) as charged
    from margins
    group by {{ grain | join(', ') }}, price_list_entry

)

select * from final
