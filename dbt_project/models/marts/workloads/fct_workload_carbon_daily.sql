with

energy as (

    select * from {{ ref('int_energy__estimated') }}

),

intensities as (

    select * from {{ ref('int_intensities__pivoted') }}

),

emitted as (

    select
        energy.day,
        energy.resource,
        energy.cluster,
        energy.region,
        energy.energy_kwh,
        energy.energy_kwh * intensities.location_gco2e_per_kwh as location_gco2e,
        energy.energy_kwh * intensities.market_gco2e_per_kwh as market_gco2e
    from energy
    left join intensities
        on
            energy.region = intensities.region
            and energy.hour = intensities.hour

),

-- a day with an hour of unknown intensity has unknown emissions, not smaller ones
by_day as (

    select
        day,
        resource,
        cluster,
        region,
        {{ steady_sum('energy_kwh') }} as energy_kwh,
        case
            when count(*) = count(location_gco2e) then {{ steady_sum('location_gco2e') }}
        end as location_gco2e,
        case
            when count(*) = count(market_gco2e) then {{ steady_sum('market_gco2e') }}
        end as market_gco2e
    from emitted
    group by day, resource, cluster, region

)

select * from by_day
