with

costs as (

    select * from {{ ref('stg_published__costs_daily') }}

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
        workload,
        team,
        environment,
        billing_currency,
        -- what the rules look at, as one text
        coalesce(workload, '') || ' | ' || coalesce(resource_id, '') || ' | '
        || coalesce(resource_name, '') as subject,

        -- numbers
        {{ money_sum('effective_cost', ['billing_currency']) }} as effective_cost,

        -- times
        min(charge_date) as first_date,
        max(charge_date) as last_date

    from costs
    group by all

)

select * from final
