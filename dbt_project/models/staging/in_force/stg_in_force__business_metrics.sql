with

published as (

    select * from {{ published(source('in_force', 'fct_business_metrics_daily')) }}

),

final as (

    select
        -- strings
        metric,
        business_unit,
        team,
        product,
        environment,
        cost_center,

        -- numbers
        quantity,

        -- times
        day

    from published

)

select * from final
