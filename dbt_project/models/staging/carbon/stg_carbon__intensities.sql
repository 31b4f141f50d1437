with

in_force as (

    select *
    from {{ landing(
        source('carbon', 'intensities'), ref('base_landing__signal_deliveries')
    ) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,

        -- strings
        region,
        accounting,

        -- numbers
        gco2e_per_kwh,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
