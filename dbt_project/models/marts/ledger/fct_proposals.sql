with

proposals as (

    select * from {{ ref('stg_ledger__proposals') }}

),

final as (

    select
        id,
        as_of,
        kind,
        resource,
        owner,
        environment,
        saving_per_month_low,
        saving_per_month_mid,
        saving_per_month_high,
        currency,
        carbon_kg_per_month_mid,
        decision,
        risk,
        confidence
    from proposals

)

select * from final
