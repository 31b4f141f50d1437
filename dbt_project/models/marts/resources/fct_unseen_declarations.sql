with

declared as (

    select * from {{ ref('stg_desired_state__resources') }}

),

workload_kinds as (

    select * from {{ ref('workload_kinds') }}

),

identified as (

    select distinct resource from {{ ref('stg_desired_state__identifiers') }}

),

measured as (

    select * from {{ ref('fct_workload_matches') }}

),

billed as (

    select * from {{ ref('fct_resource_matches') }}

),

known as (

    select
        (select count(*) from measured) as workloads,
        (select count(*) from billed) as charges

),

-- a workload leaves measurements, what a provider makes leaves charges
expected as (

    select
        declared.*,
        workload_kinds.kind is not null as is_workload
    from declared
    left join workload_kinds
        on declared.kind = workload_kinds.kind
    left join identified
        on declared.resource = identified.resource
    where
        declared.installs_into is null
        and (workload_kinds.kind is not null or identified.resource is not null)

),

seen as (

    select declared_resource as resource from measured
    where declared_resource is not null
    union
    select declared_resource as resource from billed
    where declared_resource is not null

),

final as (

    select
        -- ids and times of the grain
        {{ date_literal(var('last_day')) }} as day,
        expected.resource,

        -- strings
        expected.owner,
        expected.environment,
        expected.file,
        case
            when expected.replicas = 0 then 'It is declared with no replicas.'
            when expected.is_workload
                then 'No measured or billed workload matches it under any rule.'
            else 'Nothing that was billed matches it under any rule.'
        end as reason,

        -- numbers
        expected.replicas

    from expected
    cross join known
    left join seen
        on expected.resource = seen.resource
    where
        seen.resource is null
        -- where nothing was measured or billed at all, nothing is missing
        and case when expected.is_workload then known.workloads else known.charges end > 0

)

select * from final
