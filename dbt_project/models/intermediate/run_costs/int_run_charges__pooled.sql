{%- set grain = ['day', 'charged_by', 'charged_to', 'billing_currency'] -%}

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

-- each charge is of one place: the closest that a run of the day names
claimed as (

    select
        costs.day,
        coalesce(by_id.charged_by, by_resource.charged_by, by_namespace.charged_by) as charged_by,
        coalesce(by_id.charged_to, by_resource.charged_to, by_namespace.charged_to) as charged_to,
        costs.billing_currency,
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
    left join places as by_namespace
        on
            costs.day = by_namespace.day
            and by_namespace.charged_by = 'namespace'
            and costs.namespace = by_namespace.charged_to

),

pooled as (

    select
        {{ grain | join(',\n        ') }},
        {{ money_sum('billed_cost', grain) }} as billed_cost,
        {{ money_sum('effective_cost', grain) }} as effective_cost
    from claimed
    where charged_to is not null
    group by {{ grain | join(', ') }}

)

select * from pooled
