{%- set string = dbt.type_string() -%}

with

clusters as (

    select * from {{ ref('int_clusters__measured') }}
    where reason is null

),

workloads as (

    select * from {{ ref('int_cluster_workloads__held') }}

),

-- where more is held than there is to hold, each has so much less and nothing is idle
used as (

    select
        clusters.cluster,
        clusters.day,
        workloads.namespace,
        workloads.resource,
        {{ over_node_resources(
            'clusters.{}_weight * cast(workloads.{}_held as double) / nullif(clusters.{}_capacity'
            ' * greatest(1, clusters.{}_held / nullif(clusters.{}_allocatable, 0)), 0)'
        ) }} as weight
    from clusters
    inner join workloads
        on clusters.cluster = workloads.cluster and clusters.day = workloads.day

),

idle as (

    select
        cluster,
        day,
        {{ over_node_resources(
            '{}_weight * ({}_allocatable - least({}_held, {}_allocatable))'
            ' / nullif({}_capacity, 0)'
        ) }} as weight
    from clusters

),

reserved as (

    select
        cluster,
        day,
        {{ over_node_resources(
            '{}_weight * ({}_capacity - {}_allocatable) / nullif({}_capacity, 0)'
        ) }} as weight
    from clusters

),

users as (

    select
        *,
        sum(cast(weight as decimal(28, 20))) over (partition by cluster, day) as whole_weight
    from used

),

-- what is no node is paid as nodes are used; where nothing is, it is nobody's
parts as (

    select
        cluster,
        day,
        1 as is_node,
        'used' as cost_part,
        namespace,
        resource,
        weight
    from used
    union all
    select
        cluster,
        day,
        1 as is_node,
        'idle' as cost_part,
        cast(null as {{ string }}) as namespace,
        cast(null as {{ string }}) as resource,
        weight
    from idle
    union all
    select
        cluster,
        day,
        1 as is_node,
        'overhead' as cost_part,
        cast(null as {{ string }}) as namespace,
        cast(null as {{ string }}) as resource,
        weight
    from reserved
    union all
    select
        cluster,
        day,
        0 as is_node,
        'overhead' as cost_part,
        namespace,
        resource,
        weight / cast(whole_weight as double) as weight
    from users
    where whole_weight > 0
    union all
    select distinct
        cluster,
        day,
        0 as is_node,
        'overhead' as cost_part,
        cast(null as {{ string }}) as namespace,
        cast(null as {{ string }}) as resource,
        cast(1 as double) as weight
    from users
    where whole_weight = 0

),

rounded as (

    select
        cluster,
        day,
        is_node,
        cost_part,
        namespace,
        resource,
        cast(weight as decimal(10, 9)) as share
    from parts

),

shares as (

    select
        *,
        row_number() over (
            partition by cluster, day, is_node order by share desc, cost_part asc, resource asc
        ) as largest_first
    from rounded
    where share > 0

)

select * from shares
