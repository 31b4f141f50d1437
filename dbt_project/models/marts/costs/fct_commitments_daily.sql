{%- set grain = [
    'source', 'billing_period', 'charge_date', 'provider_name', 'billing_account_id',
    'sub_account_id', 'commitment_discount_id', 'commitment_discount_category',
    'commitment_discount_type', 'commitment_discount_unit', 'billing_currency',
] -%}
{%- set used = "charge_category = 'Usage' and commitment_discount_status = 'Used'" -%}
{%- set unused = "charge_category = 'Usage' and commitment_discount_status = 'Unused'" -%}
{%- set bought = "charge_category = 'Purchase'" -%}

with

charges as (

    select
        *,
        cast(charge_period_start as date) as charge_date
    from {{ ref('stg_focus__charges') }}
    where commitment_discount_id is not null

),

summed as (

    select
        {{ grain | join(',\n        ') }},
        max(commitment_discount_name) as commitment_discount_name,
        max(
            case
                when {{ bought }} and charge_frequency = 'One-Time'
                    then cast(charge_period_end as date)
            end
        ) as term_ends,
        {%- for name, condition in {'used': used, 'unused': unused, 'purchased': bought}.items() %}
        sum(case when {{ condition }} then commitment_discount_quantity end)
            as {{ name }}_quantity,
        {%- endfor %}
        {%- for name, cost, condition in [
            ('used_cost', 'effective_cost', used),
            ('unused_cost', 'effective_cost', unused),
            ('purchase_cost', 'billed_cost', bought),
        ] %}
        coalesce({{ money_sum('case when ' ~ condition ~ ' then ' ~ cost ~ ' end', grain) }}, 0)
            as {{ name }},
        {%- endfor %}
        {{ money_sum('case when ' ~ used ~ ' then list_cost end', grain) }} as used_list_cost,
        {{ money_sum('case when ' ~ used ~ ' then contracted_cost end', grain) }}
            as used_contracted_cost
    from charges
    group by {{ grain | join(', ') }}

),

-- in its own unit, else by what it cost
utilised as (

    select
        *,
        case
            when coalesce(used_quantity, 0) + coalesce(unused_quantity, 0) > 0 then 'quantity'
            when used_cost + unused_cost > 0 then 'cost'
        end as utilisation_basis,
        case
            when coalesce(used_quantity, 0) + coalesce(unused_quantity, 0) > 0
                then
                    cast(coalesce(used_quantity, 0) as double)
                    / cast(coalesce(used_quantity, 0) + coalesce(unused_quantity, 0) as double)
            when used_cost + unused_cost > 0
                then cast(used_cost as double) / cast(used_cost + unused_cost as double)
        end as utilisation
    from summed

)

select * from utilised
