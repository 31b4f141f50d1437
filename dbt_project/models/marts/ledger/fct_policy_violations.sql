with

policy_violations as (

    select
        *,
        coalesce(ended_day, day) as until
    from {{ ref('stg_ledger__policy_violations') }}

),

final as (

    select
        -- ids and times of the grain
        id,
        day,

        -- strings
        resource,
        seen,
        owner,
        environment,
        rule_id,
        title,
        decision,
        actual,
        {{ adapter.quote('limit') }},
        fix,
        file,
        currency,

        -- numbers
        cost_per_month,
        {{ dbt.datediff('first_day', 'until', 'day') }}
            as age_days,

        -- booleans
        ended_day is null as stands,

        -- times
        first_day,
        changed_day,
        ended_day
    from policy_violations

)

select * from final
