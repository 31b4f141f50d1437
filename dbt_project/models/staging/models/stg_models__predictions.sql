with

landed as (

    select * from {{ landing(source('models', 'predictions')) }}

),

deliveries as (

    select * from {{ ref('base_landing__signal_deliveries') }}

),

in_force as (

    {{ rows_in_force('landed', 'deliveries', 'predictions') | indent(4) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,
        prediction_id,

        -- strings
        model,
        model_version,

        -- numbers
        prediction,
        probability,
        latency_ms,
        energy_wh,

        -- maps
        features,
        groups,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
