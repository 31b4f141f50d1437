with

measurements as (

    select * from {{ ref('stg_telemetry__measurements') }}
    -- labels say what a workload is, not what it does
    where metric != 'kube_pod_labels'

),

-- one resource at one time, however many metrics it has
moments as (

    select
        day,
        source,
        cluster,
        namespace,
        kind,
        name,
        time,
        max(interval_seconds) as interval_seconds
    from measurements
    group by day, source, cluster, namespace, kind, name, time

),

-- a job is there while it runs; all else from its first to its last measurement of the day
lifetimes as (

    select
        day,
        source,
        cluster,
        namespace,
        kind,
        name,
        case
            when kind in ('CronJob', 'Job') then sum(interval_seconds)
            else
                {{ dbt.datediff('min(time)', 'max(time)', 'second') }}
                + {{ latest('interval_seconds', 'time') }}
        end as expected_seconds
    from moments
    group by day, source, cluster, namespace, kind, name

),

measured as (

    select
        day,
        source,
        cluster,
        namespace,
        kind,
        name,
        container,
        metric,
        sum(interval_seconds) as measured_seconds
    from measurements
    group by day, source, cluster, namespace, kind, name, container, metric

),

covered as (

    select
        measured.day,
        measured.source,
        measured.cluster,
        measured.namespace,
        measured.metric,
        count(*) as series,
        sum(lifetimes.expected_seconds) as expected_seconds,
        sum(least(measured.measured_seconds, lifetimes.expected_seconds)) as measured_seconds
    from measured
    inner join lifetimes
        on
            measured.day = lifetimes.day
            and measured.source = lifetimes.source
            and measured.cluster = lifetimes.cluster
            and measured.namespace = lifetimes.namespace
            and measured.kind = lifetimes.kind
            and measured.name = lifetimes.name
    group by
        measured.day,
        measured.source,
        measured.cluster,
        measured.namespace,
        measured.metric

),

spoken as (

    select
        day,
        source,
        cluster,
        metric,
        time,
        max(interval_seconds) as interval_seconds
    from measurements
    group by day, source, cluster, metric, time

),

silences as (

    select
        day,
        source,
        cluster,
        metric,
        greatest(86400 - sum(interval_seconds), 0) as silent_seconds
    from spoken
    group by day, source, cluster, metric

),

final as (

    select
        -- ids and times of the grain
        covered.day,
        covered.source,
        covered.cluster,
        covered.namespace,
        covered.metric,

        -- strings
        case
            when covered.measured_seconds >= covered.expected_seconds then 'complete'
            when silences.silent_seconds > 0 then 'exporter silent'
            else 'series missing'
        end as reason,

        -- numbers
        covered.series,
        cast(covered.expected_seconds as bigint) as expected_seconds,
        cast(covered.measured_seconds as bigint) as measured_seconds,
        cast(silences.silent_seconds as bigint) as silent_seconds,
        covered.measured_seconds / cast(covered.expected_seconds as double) as coverage
    from covered
    inner join silences
        on
            covered.day = silences.day
            and covered.source = silences.source
            and covered.cluster = silences.cluster
            and covered.metric = silences.metric

)

select * from final
