with

hours as (

    select * from {{ ref('stg_in_force__intensities') }}

),

yearly as (

    select * from {{ ref('int_intensities__yearly') }}
    -- never without being asked for
    where {{ 'true' if var('grid_yearly') else 'false' }}

),

-- a day with an unknown hour has no mean, not one of the other hours
means as (

    select
        day,
        region,
        accounting,
        case when count(*) = count(gco2e_per_kwh) then {{ steady_mean('gco2e_per_kwh') }} end
            as gco2e_per_kwh,
        max(reason) as reason
    from hours
    group by day, region, accounting

),

by_day as (

    select
        day,
        region,
        max(case when accounting = 'location' then gco2e_per_kwh end) as location_gco2e_per_kwh,
        max(case when accounting = 'market' then gco2e_per_kwh end) as market_gco2e_per_kwh,
        max(case when accounting = 'location' then reason end) as reason
    from means
    group by day, region

),

days as (

    select distinct charge_date as day
    from {{ ref('stg_in_force__costs_daily') }}

),

-- regions that nothing was delivered of
final as (

    select * from by_day
    union all
    select
        days.day,
        yearly.region,
        yearly.gco2e_per_kwh as location_gco2e_per_kwh,
        cast(null as double) as market_gco2e_per_kwh,
        cast(null as {{ dbt.type_string() }}) as reason
    from days
    cross join yearly
    left join by_day on days.day = by_day.day and yearly.region = by_day.region
    where by_day.day is null

)

select * from final
