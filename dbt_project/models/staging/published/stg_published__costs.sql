with

published as (

    select * from {{ published(source('published', 'fct_costs_daily')) }}

),

final as (

    select
        charge_date as day,
        service_category,
        service_name,
        sku_id,
        sku_meter,
        consumed_unit,
        resource_id,
        resource,
        team,
        billing_currency,
        consumed_quantity,
        billed_cost,
        effective_cost
    from published
    where charge_date between {{ day_window().first }} and {{ day_window().last }}

)

select * from final
