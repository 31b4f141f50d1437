{%- set grain = ['billing_period', 'source', 'provider_name', 'service_name', 'team',
    'billing_currency'] -%}
{%- set item = grain + [
    'region_id', 'sku_id', 'sku_meter', 'consumed_unit', 'commitment_discount_status',
] -%}
{%- set days_billed = dbt.datediff('this_month.billing_period', 'this_month.until', 'day') -%}
{%- set others = (item + ['kind', 'until']) | reject('equalto', 'billing_period') | list -%}

with

costs as (

    select * from {{ ref('int_costs__owned') }}

),

moved as (

    select * from {{ ref('int_shared_costs__moved') }}

),

lines as (

    select
        {{ grain | join(',\n        ') }},
        charge_date,
        region_id,
        sku_id,
        sku_meter,
        consumed_unit,
        commitment_discount_status,
        case
            when line != 'charge' then 'shared'
            when charge_category = 'Usage' and charge_class is null and consumed_quantity > 0
                then 'usage'
            else 'other'
        end as kind,
        effective_cost,
        consumed_quantity
    from costs
    union all
    select
        {{ grain | join(',\n        ') }},
        charge_date,
        cast(null as {{ dbt.type_string() }}) as region_id,
        cast(null as {{ dbt.type_string() }}) as sku_id,
        cast(null as {{ dbt.type_string() }}) as sku_meter,
        cast(null as {{ dbt.type_string() }}) as consumed_unit,
        cast(null as {{ dbt.type_string() }}) as commitment_discount_status,
        'shared' as kind,
        effective_cost,
        cast(null as decimal(38, 20)) as consumed_quantity
    from moved

),

billed as (

    select * from {{ ref('int_sources__billed') }}

),

-- a month that goes on is compared with as many days of the one before it
pairs as (

    select
        this_month.source,
        this_month.billing_period,
        month_before.billing_period as before_period,
        this_month.until,
        case
            when
                this_month.until
                < cast({{ dbt.last_day('this_month.billing_period', 'month') }} as date)
                then
                    cast(
                        {{ dbt.dateadd('day', days_billed, 'month_before.billing_period') }} as date
                    )
        end as before_until
    from billed as this_month
    inner join billed as month_before
        on
            this_month.source = month_before.source
            and this_month.billing_period = cast(
                {{ dbt.dateadd('month', 1, 'month_before.billing_period') }} as date
            )

),

sides as (

    select
        pairs.billing_period as compared_period,
        pairs.until,
        lines.*,
        0 as is_before
    from lines
    inner join pairs
        on lines.source = pairs.source and lines.billing_period = pairs.billing_period
    union all
    select
        pairs.billing_period as compared_period,
        pairs.until,
        lines.*,
        1 as is_before
    from lines
    inner join pairs
        on lines.source = pairs.source and lines.billing_period = pairs.before_period
    where pairs.before_until is null or lines.charge_date <= pairs.before_until

),

items as (

    select
        compared_period as billing_period,
        {{ others | join(',\n        ') }},
        coalesce(sum(case when is_before = 1 then effective_cost end), 0) as cost_before,
        coalesce(sum(case when is_before = 0 then effective_cost end), 0) as cost_after,
        coalesce(sum(case when is_before = 1 and kind = 'usage' then consumed_quantity end), 0)
            as quantity_before,
        coalesce(sum(case when is_before = 0 and kind = 'usage' then consumed_quantity end), 0)
            as quantity_after
    from sides
    group by
        compared_period,
        {{ others | join(',\n        ') }}

)

select * from items
