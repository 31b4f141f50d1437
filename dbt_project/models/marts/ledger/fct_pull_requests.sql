with

pull_requests as (

    select * from {{ ref('stg_ledger__pull_requests') }}

),

final as (

    select
        number,
        key,
        kind,
        resource,
        state,
        saving_per_month_mid,
        currency,
        verdict,
        fingerprint,
        opened
    from pull_requests

)

select * from final
