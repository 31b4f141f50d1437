with

in_force as (

    select *
    from {{ landing(
        source('telemetry', 'measurements'), ref('base_landing__signal_deliveries')
    ) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,

        -- strings
        metric,
        cluster,
        coalesce(namespace, '') as namespace,
        kind,
        name,
        container,
        label,
        label_value,

        -- numbers
        interval_seconds,
        value,
        value_max,
        value_p50,
        value_p95,
        series,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
