with

billed as (

    select distinct
        subject,
        workload,
        lower(resource_id) as resource_id,
        lower(resource_name) as resource_name
    from {{ ref('int_charges__billed_resources') }}
    where coalesce(workload, resource_id, resource_name) is not null

),

resources as (

    select * from {{ ref('stg_desired_state__resources') }}

),

identifiers as (

    select * from {{ ref('stg_desired_state__identifiers') }}

),

workloads as (

    select * from {{ ref('int_workloads__matched') }}
    where declared_resource is not null

),

names as (

    select
        subject,
        resource_name as name
    from billed
    where resource_name is not null
    union
    select
        subject,
        {{ dbt.split_part(dbt.replace('resource_id', "':'", "'/'"), "'/'", -1) }} as name
    from billed
    where resource_id is not null

),

-- only of what a provider bills: a ConfigMap may have the name of a bucket
declared_names as (

    select
        resource,
        identifier as name
    from identifiers
    union
    select
        resources.resource,
        lower(resources.name) as name
    from resources
    inner join identifiers
        on resources.resource = identifiers.resource

),

alone as (

    select
        name,
        min(resource) as resource
    from declared_names
    group by name
    having count(distinct resource) = 1

),

resource_id as (

    select
        billed.subject,
        identifiers.resource as declared_resource,
        'resource_id' as rule,
        0 as specificity
    from billed
    inner join identifiers
        on billed.resource_id = identifiers.identifier

),

workload_tags as (

    select
        billed.subject,
        resources.resource as declared_resource,
        'workload_tags' as rule,
        1 as specificity
    from billed
    inner join resources
        on billed.workload = resources.resource
    union all
    -- what the tags name was measured, and matched under another name
    select
        billed.subject,
        workloads.declared_resource,
        'workload_tags' as rule,
        0 as specificity
    from billed
    inner join workloads
        on billed.workload = workloads.resource

),

resource_name as (

    select
        names.subject,
        alone.resource as declared_resource,
        'resource_name' as rule,
        0 as specificity
    from names
    inner join alone
        on names.name = alone.name

),

candidates as (

    select * from resource_id
    union all
    select * from workload_tags
    union all
    select * from resource_name

)

select * from candidates
