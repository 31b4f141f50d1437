with

published as (

    select * from {{ published(source('published', 'fct_costs_daily')) }}

),

final as (

    select
        -- ids
        source,
        billing_account_id,
        sub_account_id,
        region_id,
        resource_id,

        -- strings
        provider_name,
        service_name,
        resource_name,
        resource_type,
        resource as workload,
        team,
        environment,
        billing_currency,

        -- numbers
        effective_cost,

        -- times
        charge_date

    from published
    where {{ in_last_days('charge_date', var('matching')['cost_days']) }}

)

select * from final
