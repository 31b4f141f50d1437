with

intensities as (

    select * from {{ ref('stg_carbon__intensities') }}
    -- an answer for a day may hold the first hour of the next, which is not this day's to tell
    where day = cast(time as date)

),

zones as (

    select * from {{ ref('int_grid_zones__mapped') }}

),

located as (

    select
        intensities.*,
        coalesce(intensities.region, zones.region) as located_region
    from intensities
    left join zones
        on
            intensities.region is null
            and intensities.zone = zones.grid_zone

),

final as (

    select
        day,
        source,
        located_region as region,
        accounting,
        kind,
        basis,
        gco2e_per_kwh,
        low_gco2e_per_kwh,
        high_gco2e_per_kwh,
        {{ dbt.date_trunc('hour', 'time') }} as hour,
        coalesce(factors, {{ string_literal(var('grid_factors')) }})
        = {{ string_literal(var('grid_factors')) }} as has_wanted_factors,
        factors is not null as has_stated_factors
    from located
    where located_region is not null

)

select * from final
