with

in_force as (

    select *
    from {{ landing(
        source('models', 'labels'), ref('base_landing__signal_deliveries')
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

        -- numbers
        label,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
