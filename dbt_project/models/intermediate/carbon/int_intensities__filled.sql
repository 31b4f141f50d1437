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

    {% for hour in range(24) -%}
    select {{ hour }} as hour_of_day
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

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
        coalesce(before.gco2e_per_kwh, after.gco2e_per_kwh) as value_before,
        coalesce(after.gco2e_per_kwh, before.gco2e_per_kwh) as value_after,
        least(
            coalesce(before.low_gco2e_per_kwh, after.low_gco2e_per_kwh),
            coalesce(after.low_gco2e_per_kwh, before.low_gco2e_per_kwh)
        ) as low_beside,
        greatest(
            coalesce(before.high_gco2e_per_kwh, after.high_gco2e_per_kwh),
            coalesce(after.high_gco2e_per_kwh, before.high_gco2e_per_kwh)
        ) as high_beside,
        case
            when beside.hour_before is null or beside.hour_after is null then 0
            else
                cast(beside.hour_of_day - beside.hour_before as double)
                / nullif(beside.hour_after - beside.hour_before, 0)
        end as way
    from beside
    left join known as before
        on
            beside.day = before.day
            and beside.region = before.region
            and beside.accounting = before.accounting
            and beside.hour_before = before.hour_of_day
    left join known as after
        on
            beside.day = after.day
            and beside.region = after.region
            and beside.accounting = after.accounting
            and beside.hour_after = after.hour_of_day

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
        yearly.region is not null as is_in_yearly_table,
        case
            when judged.hourly_basis is not null then judged.hourly_basis
            {% if var('grid_yearly') -%}
            when judged.accounting = 'location' and yearly.region is not null then 'yearly'
            {%- endif %}
        end as basis,
        case
            when judged.known_hour is not null then judged.gco2e_per_kwh
            when judged.hourly_basis = 'interpolated'
                then judged.value_before + (judged.value_after - judged.value_before) * judged.way
            {% if var('grid_yearly') -%}
            when judged.accounting = 'location' then yearly.gco2e_per_kwh
            {%- endif %}
        end as gco2e_per_kwh,
        case
            when judged.known_hour is not null then judged.low_gco2e_per_kwh
            when judged.hourly_basis = 'interpolated' then judged.low_beside
            {% if var('grid_yearly') -%}
            when judged.accounting = 'location' then yearly.low_gco2e_per_kwh
            {%- endif %}
        end as low_gco2e_per_kwh,
        case
            when judged.known_hour is not null then judged.high_gco2e_per_kwh
            when judged.hourly_basis = 'interpolated' then judged.high_beside
            {% if var('grid_yearly') -%}
            when judged.accounting = 'location' then yearly.high_gco2e_per_kwh
            {%- endif %}
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
            when has_wanted_factors is null
                then 'nothing was delivered for this region'
            when has_wanted_factors = 0
                then {{ string_literal(
                    'only values by other emission factors were delivered; grid.factors is '
                    ~ var('grid_factors')
                ) }}
            else
                cast(gap_hours as {{ dbt.type_string() }}) || {{ string_literal(
                    ' hours together without a value; at most ' ~ var('grid_gap_hours')
                    ~ ' are filled (grid.gap_hours)'
                ) }}
        end
        {% if var('grid_yearly') -%}
        || case
            when accounting = 'location' and not is_in_yearly_table
                then '; the yearly table has no value for it'
            else ''
        end
        {%- endif %} as reason
    from filled

)

select * from explained
