with

metrics as (

    select * from {{ ref('stg_business__metrics') }}

),

summed as (

    select
        -- ids and times of the grain
        day,
        source,
        metric,
        business_unit,
        team,
        product,
        environment,
        cost_center,

        -- numbers
        cast(sum(quantity) as decimal(38, 9)) as quantity

    from metrics
    group by
        day,
        source,
        metric,
        business_unit,
        team,
        product,
        environment,
        cost_center

)

select * from summed
