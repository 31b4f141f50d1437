with

in_force as (

    select *
    from {{ landing(
        source('runs', 'model_versions'), ref('base_landing__signal_deliveries')
    ) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,
        registry,
        model,
        version,
        run_id,

        -- strings
        owner,
        status,
        stage,
        aliases,

        -- times
        partition_date as day,
        known_at,
        time,
        created_at

    from in_force

)

select * from renamed
