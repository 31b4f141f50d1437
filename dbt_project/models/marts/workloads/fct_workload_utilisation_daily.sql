with

measurements as (

    select * from {{ ref('fct_workload_measurements') }}
    where {{ within(day_window()) }}

),

samples as (

    select * from measurements
    where
        cpu_cores is not null
        or memory_working_set_bytes is not null
        or gpu_utilisation_percent is not null

),

utilisation as (

    select
        -- ids and times of the grain
        day,
        resource,
        cluster,
        namespace,
        container,

        -- numbers
        count(*) as samples,
        least(sum(interval_seconds) / cast(86400 as double), 1) as coverage,
        {{ time_weighted_mean('cpu_cores', 'interval_seconds') }} as cpu_cores_mean,
        {{ quantile('cpu_cores', 0.5) }} as cpu_cores_p50,
        {{ quantile('cpu_cores', 0.95) }} as cpu_cores_p95,
        {{ quantile('cpu_cores', 0.99) }} as cpu_cores_p99,
        max(cpu_cores) as cpu_cores_max,
        {{ latest('cpu_request_cores', 'time') }} as cpu_request_cores,
        {{ time_weighted_mean('memory_working_set_bytes', 'interval_seconds') }}
            as memory_bytes_mean,
        max(memory_working_set_bytes) as memory_bytes_max,
        {{ latest('memory_request_bytes', 'time') }} as memory_request_bytes,
        {{ time_weighted_mean('gpu_utilisation_percent', 'interval_seconds') }}
            as gpu_utilisation_percent_mean,
        max(gpu_utilisation_percent) as gpu_utilisation_percent_max,
        {{ steady_sum('greatest(cpu_cores, cpu_request_cores) * interval_seconds / 3600') }}
            as cpu_core_hours,
        {{ steady_sum(
            'greatest(memory_working_set_bytes, memory_request_bytes) / 1073741824'
            ' * interval_seconds / 3600'
        ) }} as memory_gib_hours,
        {{ steady_sum(
            'coalesce(gpu_requests,'
            ' case when gpu_utilisation_percent is not null then coalesce(gpus_measured, 1) end)'
            ' * interval_seconds / cast(3600 as double)'
        ) }} as gpu_hours

    from samples
    group by day, resource, cluster, namespace, container

)

select * from utilisation
