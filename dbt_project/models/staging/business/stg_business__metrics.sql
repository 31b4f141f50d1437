with

in_force as (

    select *
    from {{ landing(
        source('business', 'business_metrics'), ref('base_landing__signal_deliveries')
    ) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,

        -- strings
        metric,
        business_unit,
        team,
        product,
        environment,
        cost_center,

        -- numbers
        cast(quantity as decimal(26, 9)) as quantity,

        -- times
        partition_date as day,
        known_at,
        time

    from in_force

)

select * from renamed
