{%- set grain = ['day', 'charged_by', 'charged_to', 'billing_currency'] -%}

with

claimed as (

    select * from {{ ref('int_charges__claimed') }}

),

pooled as (

    select
        {{ grain | join(',\n        ') }},
        case when min(team) = max(team) and count(team) = count(*) then max(team) end as team,
        {{ money_sum('billed_cost', grain) }} as billed_cost,
        {{ money_sum('effective_cost', grain) }} as effective_cost
    from claimed
    where charged_to is not null
    group by {{ grain | join(', ') }}

)

select * from pooled
