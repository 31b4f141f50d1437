with

landed as (

    select * from {{ landing(source('models', 'labels')) }}

),

deliveries as (

    select * from {{ ref('base_landing__signal_deliveries') }}

),

in_force as (

    {{ rows_in_force('landed', 'deliveries', 'labels') | indent(4) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,
        prediction_id,

        -- strings
        model,

        -- numbers
        label,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
