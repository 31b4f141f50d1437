with

in_force as (

    select *
    from {{ landing(
        source('models', 'predictions'), ref('base_landing__signal_deliveries')
    ) }}

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
        input_tokens,
        output_tokens,

        -- maps
        features,
        categories,
        groups,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
