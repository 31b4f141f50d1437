with

located as (

    select * from {{ ref('int_intensities__located') }}
    where has_wanted_factors and gco2e_per_kwh is not null

),

shares as (

    select
        max(case when coefficient = 'grid_measured_uncertainty_share' then value end)
            as measured_share,
        max(case when coefficient = 'grid_estimated_uncertainty_share' then value end)
            as estimated_share
    from {{ ref('carbon_coefficients') }}

),

-- measured before estimated, and what says its factors before what does not
ranked as (

    select
        located.*,
        case located.basis when 'measured' then 0 else 2 end
        + case when located.has_stated_factors then 0 else 1 end as place,
        case located.basis
            when 'measured' then shares.measured_share else shares.estimated_share
        end as uncertainty
    from located
    cross join shares

),

-- parts of an hour are one value of their source
of_source as (

    select
        day,
        hour,
        region,
        accounting,
        kind,
        source,
        place,
        max(basis) as basis,
        {{ steady_mean('gco2e_per_kwh') }} as gco2e_per_kwh,
        {{ steady_mean('coalesce(low_gco2e_per_kwh, gco2e_per_kwh * (1 - uncertainty))') }}
            as low_gco2e_per_kwh,
        {{ steady_mean('coalesce(high_gco2e_per_kwh, gco2e_per_kwh * (1 + uncertainty))') }}
            as high_gco2e_per_kwh
    from ranked
    group by day, hour, region, accounting, kind, source, place

),

best as (

    select
        *,
        min(place) over (partition by hour, region, accounting, kind) as best_place
    from of_source

),

of_hour as (

    select
        day,
        hour,
        region,
        accounting,
        kind,
        max(basis) as basis,
        {{ steady_mean('gco2e_per_kwh') }} as gco2e_per_kwh,
        {{ steady_mean('low_gco2e_per_kwh') }} as low_gco2e_per_kwh,
        {{ steady_mean('high_gco2e_per_kwh') }} as high_gco2e_per_kwh
    from best
    where place = best_place
    group by day, hour, region, accounting, kind

)

select * from of_hour
