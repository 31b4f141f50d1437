with

matched as (

    select * from {{ ref('int_charges__matched') }}

),

final as (

    select
        -- ids and times of the grain
        {{ date_literal(var('last_day')) }} as day,
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
        declared_resource,
        rule,
        reason,
        owner,
        case
            when team is not null then 'tag'
            when declared_owner is not null then 'declaration'
        end as owner_from,

        -- numbers
        confidence,
        effective_cost,

        -- times
        first_date,
        last_date

    from matched

)

select * from final
