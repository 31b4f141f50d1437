{%- set other_factors = string_literal(
    'only values by other emission factors were delivered; grid.factors is ' ~ var('grid_factors')
) -%}
{%- set too_long = string_literal(
    ' hours together without a value; at most ' ~ var('grid_gap_hours')
    ~ ' are filled (grid.gap_hours)'
) -%}
{%- set not_yearly = string_literal(
    '; the yearly table has no value for it' if var('grid_yearly') else ''
) -%}
with

hourly as (

    select * from {{ ref('int_intensities__hourly') }}
    where kind = 'average'

),

delivered as (

    select
        day,
        region,
        accounting,
        max(case when has_wanted_factors then 1 else 0 end) as has_wanted_factors
    from {{ ref('int_intensities__located') }}
    where kind = 'average'
    group by day, region, accounting

),

yearly as (

    select * from {{ ref('int_intensities__yearly') }}
    -- never without being asked for
    where {{ 'true' if var('grid_yearly') else 'false' }}

),

cluster_regions as (

    {{ mapping_rows(var('clusters'), 'cluster', 'region') | indent(4) }}

),

-- every hour of a day of which anything is known, of every region that is asked for or delivered
days as (

    select distinct day from {{ ref('fct_workload_measurements') }}
    where {{ within(day_window()) }}
    union
    select distinct day from delivered

),

regions as (

    select region from cluster_regions
    union
    select region from delivered

),

slots as (

    {{ hours_of_day('hour_of_day') | indent(4) }}

),

accountings as (

    select 'location' as accounting
    union all
    select 'market' as accounting

),

hours as (

    select
        days.day,
        regions.region,
        accountings.accounting,
        slots.hour_of_day,
        {{ dbt.dateadd('hour', 'slots.hour_of_day', instant_of('days.day')) }} as hour
    from days
    cross join regions
    cross join accountings
    cross join slots

),

known as (

    select
        hours.*,
        hourly.gco2e_per_kwh,
        hourly.low_gco2e_per_kwh,
        hourly.high_gco2e_per_kwh,
        hourly.basis,
        case when hourly.gco2e_per_kwh is not null then hours.hour_of_day end as known_hour
    from hours
    left join hourly
        on
            hours.hour = hourly.hour
            and hours.region = hourly.region
            and hours.accounting = hourly.accounting

),

-- a day stands by itself: neither the day before it nor the one after fills its gaps
beside as (

    select
        *,
        max(known_hour) over (
            partition by day, region, accounting order by hour_of_day
            rows between unbounded preceding and current row
        ) as hour_before,
        min(known_hour) over (
            partition by day, region, accounting order by hour_of_day
            rows between current row and unbounded following
        ) as hour_after
    from known

),

spanned as (

    select
        beside.*,
        coalesce(beside.hour_after, 24) - coalesce(beside.hour_before, -1) - 1 as gap_hours,
        coalesce(earlier.gco2e_per_kwh, later.gco2e_per_kwh) as value_before,
        coalesce(later.gco2e_per_kwh, earlier.gco2e_per_kwh) as value_after,
        least(
            coalesce(earlier.low_gco2e_per_kwh, later.low_gco2e_per_kwh),
            coalesce(later.low_gco2e_per_kwh, earlier.low_gco2e_per_kwh)
        ) as low_beside,
        greatest(
            coalesce(earlier.high_gco2e_per_kwh, later.high_gco2e_per_kwh),
            coalesce(later.high_gco2e_per_kwh, earlier.high_gco2e_per_kwh)
        ) as high_beside,
        case
            when beside.hour_before is null or beside.hour_after is null then 0
            else
                cast(beside.hour_of_day - beside.hour_before as double)
                / nullif(beside.hour_after - beside.hour_before, 0)
        end as way
    from beside
    left join known as earlier
        on
            beside.day = earlier.day
            and beside.region = earlier.region
            and beside.accounting = earlier.accounting
            and beside.hour_before = earlier.hour_of_day
    left join known as later
        on
            beside.day = later.day
            and beside.region = later.region
            and beside.accounting = later.accounting
            and beside.hour_after = later.hour_of_day

),

judged as (

    select
        *,
        case
            when known_hour is not null then basis
            when
                (hour_before is not null or hour_after is not null)
                and gap_hours <= {{ var('grid_gap_hours') }}
                then 'interpolated'
        end as hourly_basis
    from spanned

),

filled as (

    select
        judged.day,
        judged.hour,
        judged.region,
        judged.accounting,
        judged.gap_hours,
        delivered.has_wanted_factors,
        coalesce(
            judged.hourly_basis,
            case when judged.accounting = 'location' and yearly.region is not null then 'yearly' end
        ) as basis,
        case
            when judged.hourly_basis = 'interpolated'
                then judged.value_before + (judged.value_after - judged.value_before) * judged.way
            when judged.hourly_basis is not null then judged.gco2e_per_kwh
            when judged.accounting = 'location' then yearly.gco2e_per_kwh
        end as gco2e_per_kwh,
        case
            when judged.hourly_basis = 'interpolated' then judged.low_beside
            when judged.hourly_basis is not null then judged.low_gco2e_per_kwh
            when judged.accounting = 'location' then yearly.low_gco2e_per_kwh
        end as low_gco2e_per_kwh,
        case
            when judged.hourly_basis = 'interpolated' then judged.high_beside
            when judged.hourly_basis is not null then judged.high_gco2e_per_kwh
            when judged.accounting = 'location' then yearly.high_gco2e_per_kwh
        end as high_gco2e_per_kwh
    from judged
    left join delivered
        on
            judged.day = delivered.day
            and judged.region = delivered.region
            and judged.accounting = delivered.accounting
    left join yearly
        on judged.region = yearly.region

),

explained as (

    select
        day,
        hour,
        region,
        accounting,
        basis,
        gco2e_per_kwh,
        low_gco2e_per_kwh,
        high_gco2e_per_kwh,
        case
            when basis is not null then null
            when has_wanted_factors is null then 'nothing was delivered for this region'
            when has_wanted_factors = 0 then {{ other_factors }}
            else cast(gap_hours as {{ dbt.type_string() }}) || {{ too_long }}
        end
        || case when accounting = 'location' then {{ not_yearly }} else '' end as reason
    from filled

)

select * from explained
