with

landed as (

    select * from {{ landing(source('carbon', 'intensities')) }}

),

deliveries as (

    select * from {{ ref('base_landing__signal_deliveries') }}

),

in_force as (

    {{ rows_in_force('landed', 'deliveries', 'intensities') | indent(4) }}

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
