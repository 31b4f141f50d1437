with

published as (

    select * from {{ published(source('published', 'fct_costs_daily')) }}

),

final as (

    select
        charge_date as day,
        resource_id,
        resource,
        billing_currency,
        billed_cost,
        effective_cost
    from published
    where charge_date between {{ day_window().first }} and {{ day_window().last }}

)

select * from final
