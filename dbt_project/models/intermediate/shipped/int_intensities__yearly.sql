with

regions as (

    select * from {{ ref('grid_zones') }}

),

yearly as (

    select * from {{ ref('grid_intensities_yearly') }}
    where factors = {{ string_literal(var('grid_factors')) }}

),

shares as (

    select value as uncertainty
    from {{ ref('carbon_coefficients') }}
    where coefficient = 'grid_yearly_uncertainty_share'

),

-- the smaller area is the nearer one
nearest as (

    select
        regions.region,
        yearly.year,
        yearly.gco2e_per_kwh,
        yearly.gco2e_per_kwh * (1 - shares.uncertainty) as low_gco2e_per_kwh,
        yearly.gco2e_per_kwh * (1 + shares.uncertainty) as high_gco2e_per_kwh,
        row_number() over (
            partition by regions.region
            order by case when yearly.area = regions.subregion then 0 else 1 end
        ) as nearest_first
    from regions
    inner join yearly
        on yearly.area in (regions.subregion, regions.country)
    cross join shares

)

select
    region,
    year,
    gco2e_per_kwh,
    low_gco2e_per_kwh,
    high_gco2e_per_kwh
from nearest
where nearest_first = 1
