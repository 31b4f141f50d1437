with

in_force as (

    select *
    from {{ landing(
        source('runs', 'runs'), ref('base_landing__signal_deliveries')
    ) }}

),

tags_sorted as (

    select
        *,
        {{ tag_entries('tags') }} as tag_entries
    from in_force

),

tags_named as (

    select
        *,
        {{ tag_names('tag_entries') }} as tag_names
    from tags_sorted

),

-- where nobody else says where a run ran, its tags do, in the words of settings
placed as (

    select
        *,
        coalesce(cluster, {{ tag_value(['k8s.cluster.name', 'k8s-cluster']) }}) as placed_cluster,
        coalesce(namespace, {{ tag_value(run_place_keys('namespace')) }}) as placed_namespace,
        coalesce(workload, {{ tag_value(run_place_keys('workload')) }}) as placed_workload,
        {{ workload_kind('coalesce(workload_kind, tag_workload_kind)') }} as placed_kind,
        coalesce(resource_id, {{ tag_value(['cloud.resource_id', 'resource_id']) }})
            as placed_resource_id
    from (
        select
            *,
            {{ tag_value(run_place_keys('workload_kind')) }} as tag_workload_kind,
            {{ tag_value(var('tag_keys')['team']) }} as team
        from tags_named
    ) as tagged

),

renamed as (

    select
        -- ids
        source,
        delivery_id,
        system,
        run_id,
        placed_resource_id as resource_id,

        -- strings
        experiment,
        name,
        owner,
        team,
        status,
        lifecycle,
        placed_cluster as cluster,
        placed_namespace as namespace,
        case
            when placed_namespace not like '%/%' and placed_workload not like '%/%'
                then placed_kind || '/' || placed_namespace || '/' || placed_workload
        end as resource,

        -- maps
        metrics,
        metrics_not_finite,
        params,
        tags,

        -- times
        partition_date as day,
        known_at,
        time,
        started_at,
        ended_at

    from placed

)

select * from renamed
