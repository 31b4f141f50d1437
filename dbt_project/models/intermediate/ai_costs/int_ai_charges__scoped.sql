with

claimed as (

    select * from {{ ref('int_charges__claimed') }}

),

gpu_workloads as (

    select
        day,
        resource
    from {{ ref('int_gpu_hours__judged') }}

),

serving as (

    select distinct resource from {{ ref('int_workloads__serving') }}

),

metered as (

    select
        *,
        {{ of_token_meter('number') }} as model_number,
        {{ of_token_meter('tokens') }} as token_type,
        {{ tokens_per_unit('consumed_unit') }} as tokens_per_unit
    from claimed

),

-- the first that holds: a charge counts once
scoped as (

    select
        metered.day,
        metered.charged_by,
        metered.charged_to,
        metered.service_name,
        metered.sku_meter,
        metered.resource,
        metered.team,
        metered.billing_currency,
        metered.model_number,
        metered.token_type,
        metered.consumed_quantity * metered.tokens_per_unit as billed_tokens,
        metered.billed_cost,
        metered.effective_cost,
        case
            when
                coalesce(metered.charged_by, 'resource') = 'resource'
                and coalesce(gpu_workloads.resource, serving.resource) is not null
                then 'workload'
            when metered.charged_to is not null then 'run'
            when metered.model_number is not null then 'tokens'
            when
                lower(metered.service_category) = 'ai and machine learning'
                and metered.tokens_per_unit is not null
                then 'tokens'
            when lower(metered.service_category) = 'ai and machine learning' then 'service'
        end as scope
    from metered
    left join gpu_workloads
        on
            metered.day = gpu_workloads.day
            and metered.resource = gpu_workloads.resource
    left join serving
        on metered.resource = serving.resource

)

select * from scoped
where scope is not null
