{%- set month_after = dbt.dateadd('month', 1, 'billing_period') -%}
{%- set month_before = dbt.dateadd('month', -1, 'this_month.billing_period') -%}

with

costs as (

    select * from {{ ref('stg_in_force__costs_daily') }}

),

billed as (

    select
        source,
        billing_period,
        max(charge_date) as until
    from costs
    where
        charge_category = 'Usage'
        and charge_date >= billing_period
        and charge_date < {{ month_after }}
    group by source, billing_period

),

-- a source whose bill of the month before ended early too does not bill by the day
final as (

    select
        this_month.source,
        this_month.billing_period,
        this_month.until,
        case
            when
                month_before.until
                < cast({{ dbt.last_day('month_before.billing_period', 'month') }} as date)
                then cast({{ dbt.last_day('this_month.billing_period', 'month') }} as date)
            else this_month.until
        end as billed_until
    from billed as this_month
    left join billed as month_before
        on
            this_month.source = month_before.source
            and month_before.billing_period = cast({{ month_before }} as date)

)

select * from final
