with

published as (

    select * from {{ published(source('in_force', 'fct_grid_intensity_hourly')) }}

),

final as (

    select
        -- ids
        region,

        -- strings
        accounting,
        reason,

        -- numbers
        gco2e_per_kwh,

        -- times
        day,
        hour

    from published
    where kind = 'average'

)

select * from final
