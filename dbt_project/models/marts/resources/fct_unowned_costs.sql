with

matches as (

    select * from {{ ref('fct_resource_matches') }}

),

final as (

    select
        -- ids and times of the grain
        day,
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
        environment,
        billing_currency,
        declared_resource,
        case
            when declared_resource is null then reason
            else 'Neither a tag nor its declaration names an owner.'
        end as reason,

        -- numbers
        effective_cost,

        -- times
        first_date,
        last_date

    from matches
    where owner is null

)

select * from final
