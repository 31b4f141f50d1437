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
        {{ claimed_place('charged_by') }} as charged_by,
        {{ claimed_place('charged_to') }} as charged_to,
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
    {{ join_claiming_places('costs') }}

)

select * from claimed
