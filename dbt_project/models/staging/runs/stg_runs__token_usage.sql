with

in_force as (

    select *
    from {{ landing(
        source('runs', 'token_usage'), ref('base_landing__signal_deliveries')
    ) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,

        -- strings
        provider,
        model,
        operation,
        service,
        team,
        cluster,
        namespace,
        workload,

        -- numbers
        interval_seconds,
        input_tokens,
        output_tokens,
        cached_input_tokens,
        requests,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
