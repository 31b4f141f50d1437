with

workloads_daily as (

    select * from {{ ref('stg_published__workloads_daily') }}

),

workload_kinds as (

    select kind from {{ ref('workload_kinds') }}
    union all
    select 'Pod'

),

ignored as (

    {{ value_rows(var('matching')['ignored_namespaces'], 'namespace') | indent(4) }}

),

summed as (

    select
        resource,
        min(cluster) as cluster,
        count(distinct cluster) as clusters,
        min(day) as first_day,
        max(day) as last_day,
        count(distinct day) as days_seen,
        max(case when gpu_utilisation_percent_max is null then 0 else 1 end) = 1 as uses_gpu
    from workloads_daily
    group by resource

),

named as (

    select
        *,
        {{ dbt.split_part('resource', "'/'", 1) }} as kind,
        {{ dbt.split_part('resource', "'/'", 2) }} as namespace,
        {{ dbt.split_part('resource', "'/'", 3) }} as name
    from summed

),

final as (

    select
        -- ids
        named.resource,

        -- strings
        named.kind,
        named.namespace,
        named.name,
        named.cluster,

        -- numbers
        named.clusters,
        named.days_seen,

        -- booleans
        named.uses_gpu,

        -- times
        named.first_day,
        named.last_day

    from named
    inner join workload_kinds
        on named.kind = workload_kinds.kind
    left join ignored
        on named.namespace = ignored.namespace
    where ignored.namespace is null

)

select * from final
