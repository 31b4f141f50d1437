with

energy as (

    select * from {{ ref('int_energy__estimated') }}

),

intensities as (

    select * from {{ ref('fct_grid_intensity_hourly') }}
    where {{ within(day_window()) }} and kind = 'average'

),

accountings as (

    select 'location' as accounting
    union all
    select 'market' as accounting

),

emitted as (

    select
        energy.*,
        accountings.accounting,
        energy.energy_kwh * intensities.gco2e_per_kwh as gco2e,
        energy.energy_low_kwh * intensities.low_gco2e_per_kwh as low_gco2e,
        energy.energy_high_kwh * intensities.high_gco2e_per_kwh as high_gco2e,
        case when intensities.gco2e_per_kwh is not null then energy.energy_kwh end as covered_kwh,
        case intensities.basis
            when 'measured' then 1
            when 'estimated' then 2
            when 'interpolated' then 3
            when 'yearly' then 4
        end as weakness,
        case
            when energy.region is null then 'the settings name no region of its cluster'
            else intensities.reason
        end as reason
    from energy
    cross join accountings
    left join intensities
        on
            energy.region = intensities.region
            and energy.hour = intensities.hour
            and accountings.accounting = intensities.accounting

),

of_accounting as (

    select
        day,
        resource,
        cluster,
        region,
        accounting,
        count(*) = count(gco2e) as is_covered,
        {{ steady_sum('energy_kwh') }} as energy_kwh,
        {{ steady_sum('energy_low_kwh') }} as energy_low_kwh,
        {{ steady_sum('energy_high_kwh') }} as energy_high_kwh,
        {{ steady_sum('measured_kwh') }} as measured_kwh,
        {{ steady_sum('embodied_gco2e') }} as embodied_gco2e,
        {{ steady_sum('gco2e') }} as gco2e,
        {{ steady_sum('low_gco2e') }} as low_gco2e,
        {{ steady_sum('high_gco2e') }} as high_gco2e,
        coalesce({{ steady_sum('covered_kwh') }}, 0) as covered_kwh,
        max(weakness) as weakness,
        max(reason) as reason
    from emitted
    group by day, resource, cluster, region, accounting

),

-- a day with an hour of unknown intensity has unknown emissions, not smaller ones
judged as (

    select
        *,
        case when is_covered then gco2e end as known_gco2e,
        case when is_covered then low_gco2e end as known_low_gco2e,
        case when is_covered then high_gco2e end as known_high_gco2e,
        case
            when is_covered then 1
            when energy_kwh > 0 then covered_kwh / energy_kwh
            else 0
        end as coverage,
        case
            when not is_covered then null
            when weakness = 1 then 'measured'
            when weakness = 2 then 'estimated'
            when weakness = 3 then 'interpolated'
            when weakness = 4 then 'yearly'
        end as basis
    from of_accounting

),

by_day as (

    select
        day,
        resource,
        cluster,
        region,
        max(energy_kwh) as energy_kwh,
        max(energy_low_kwh) as energy_low_kwh,
        max(energy_high_kwh) as energy_high_kwh,
        max(measured_kwh) / nullif(max(energy_kwh), 0) as energy_measured_share,
        max(case when accounting = 'location' then known_gco2e end) as location_gco2e,
        max(case when accounting = 'location' then known_low_gco2e end) as location_low_gco2e,
        max(case when accounting = 'location' then known_high_gco2e end) as location_high_gco2e,
        max(case when accounting = 'location' then coverage end) as location_coverage,
        max(case when accounting = 'location' then basis end) as location_basis,
        max(case when accounting = 'location' then reason end) as location_reason,
        max(case when accounting = 'market' then known_gco2e end) as market_gco2e,
        max(case when accounting = 'market' then known_low_gco2e end) as market_low_gco2e,
        max(case when accounting = 'market' then known_high_gco2e end) as market_high_gco2e,
        max(case when accounting = 'market' then coverage end) as market_coverage,
        max(case when accounting = 'market' then basis end) as market_basis,
        max(case when accounting = 'market' then reason end) as market_reason,
        max(embodied_gco2e) as embodied_gco2e
    from judged
    group by day, resource, cluster, region

)

select * from by_day
