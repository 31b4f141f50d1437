with

billed as (

    select * from {{ ref('int_charges__billed_resources') }}

),

candidates as (

    select * from {{ ref('int_charges__candidates') }}

),

resources as (

    select * from {{ ref('stg_desired_state__resources') }}

),

best as (

    {{ best_candidates('candidates', 'subject', 'billed') | indent(4) }}

),

final as (

    select
        -- ids
        billed.source,
        billed.billing_account_id,
        billed.sub_account_id,
        billed.region_id,
        billed.resource_id,

        -- strings
        billed.provider_name,
        billed.service_name,
        billed.resource_name,
        billed.resource_type,
        billed.workload,
        billed.team,
        billed.environment,
        billed.billing_currency,
        best.declared_resource,
        best.rule,
        resources.owner as declared_owner,
        coalesce(billed.team, resources.owner) as owner,
        case
            when best.reason is not null then best.reason
            when coalesce(billed.workload, billed.resource_id, billed.resource_name) is null
                then 'The bill names no resource.'
            else 'No declaration has this resource under any rule.'
        end as reason,

        -- numbers
        best.confidence,
        billed.effective_cost,

        -- times
        billed.first_date,
        billed.last_date

    from billed
    left join best
        on billed.subject = best.subject
    left join resources
        on best.declared_resource = resources.resource

)

select * from final
