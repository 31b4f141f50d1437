with

shares as (

    select
        *,
        coalesce(weight / nullif(whole_weight, 0), 0) as share
    from {{ ref('int_run_shares__weighed') }}

),

charges as (

    select * from {{ ref('int_run_charges__pooled') }}

),

shared as (

    select
        charges.day,
        charges.charged_by,
        charges.charged_to,
        charges.billing_currency,
        shares.system,
        shares.run_id,
        shares.basis,
        shares.weight,
        least(shares.share, 1) as share,
        {{ money_share('charges.billed_cost', 'least(shares.share, 1)') }} as billed_cost,
        {{ money_share('charges.effective_cost', 'least(shares.share, 1)') }} as effective_cost
    from charges
    inner join shares
        on
            charges.day = shares.day
            and charges.charged_by = shares.charged_by
            and charges.charged_to = shares.charged_to

)

select * from shared
