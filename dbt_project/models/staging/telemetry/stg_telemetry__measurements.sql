with

landed as (

    select * from {{ landing(source('telemetry', 'measurements')) }}

),

deliveries as (

    select * from {{ ref('base_landing__signal_deliveries') }}

),

in_force as (

    {{ rows_in_force('landed', 'deliveries', 'measurements') | indent(4) }}

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

        -- numbers
        interval_seconds,
        value,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
