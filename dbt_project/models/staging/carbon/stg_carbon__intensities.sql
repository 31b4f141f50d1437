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
        zone,
        accounting,
        factors,
        estimation_method,
        coalesce(kind, 'average') as kind,
        coalesce(basis, 'measured') as basis,

        -- numbers
        gco2e_per_kwh,
        low_gco2e_per_kwh,
        high_gco2e_per_kwh,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
