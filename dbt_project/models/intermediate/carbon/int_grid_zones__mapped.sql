with

regions as (

    select * from {{ ref('grid_zones') }}

),

named_in_settings as (

    {{ mapping_rows(var('grid_zones'), 'region', 'grid_zone') | indent(4) }}

),

shipped as (

    select
        region,
        electricity_maps_zone as grid_zone
    from regions
    where electricity_maps_zone is not null
    union
    select
        region,
        watttime_region as grid_zone
    from regions
    where watttime_region is not null

),

-- what settings say of a region stands in place of all that is shipped of it
mapped as (

    select
        region,
        grid_zone
    from named_in_settings
    union
    select
        shipped.region,
        shipped.grid_zone
    from shipped
    left join named_in_settings
        on shipped.region = named_in_settings.region
    where named_in_settings.region is null

)

select * from mapped
