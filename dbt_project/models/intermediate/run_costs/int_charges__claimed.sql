with

costs as (

    select
        *,
        {{ dbt.split_part('resource', "'/'", 2) }} as namespace
    from {{ ref('stg_published__costs') }}

),

places as (

    select * from {{ ref('int_places__named') }}

),

-- what serves a model is no part of its namespace's runs
serving as (

    select distinct resource from {{ ref('int_workloads__serving') }}

),

-- each charge is of one place: the closest that a run of the day names
claimed as (

    select
        costs.day,
        coalesce(by_id.charged_by, by_resource.charged_by, by_namespace.charged_by) as charged_by,
        coalesce(by_id.charged_to, by_resource.charged_to, by_namespace.charged_to) as charged_to,
        costs.service_category,
        costs.service_name,
        costs.sku_id,
        costs.sku_meter,
        costs.consumed_unit,
        costs.resource,
        costs.team,
        costs.billing_currency,
        costs.consumed_quantity,
        costs.billed_cost,
        costs.effective_cost
    from costs
    left join places as by_id
        on
            costs.day = by_id.day
            and by_id.charged_by = 'resource_id'
            and costs.resource_id = by_id.charged_to
    left join places as by_resource
        on
            costs.day = by_resource.day
            and by_resource.charged_by = 'resource'
            and costs.resource = by_resource.charged_to
    left join serving
        on costs.resource = serving.resource
    left join places as by_namespace
        on
            costs.day = by_namespace.day
            and by_namespace.charged_by = 'namespace'
            and costs.namespace = by_namespace.charged_to
            and serving.resource is null

)

select * from claimed
