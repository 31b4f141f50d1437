with

measurements as (

    select * from {{ ref('stg_telemetry__measurements') }}

),

nodes as (

    select
        day,
        time,
        cluster,
        name,
        min(interval_seconds) as interval_seconds,
        {% for column, metric in node_columns().items() %}
        {{ value_of(metric) }} as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from measurements
    where kind = 'Node' and metric in ({{ string_literals(node_columns().values()) }})
    group by day, time, cluster, name

),

sized as (

    select
        *,
        memory_bytes / 1073741824 as memory_gib,
        allocatable_memory_bytes / 1073741824 as allocatable_memory_gib
    from nodes

),

capacity as (

    select
        -- ids and times of the grain
        day,
        cluster,

        -- numbers
        count(distinct name) as nodes,
        {{ steady_sum('interval_seconds') }} / 3600 as node_hours,
        {{ steady_sum('cpu_cores * interval_seconds') }} / 3600 as cpu_core_hours,
        {{ steady_sum('memory_gib * interval_seconds') }} / 3600 as memory_gib_hours,
        {{ steady_sum('gpus * interval_seconds') }} / 3600 as gpu_hours,
        {{ steady_sum('allocatable_cpu_cores * interval_seconds') }} / 3600
            as allocatable_cpu_core_hours,
        {{ steady_sum('allocatable_memory_gib * interval_seconds') }} / 3600
            as allocatable_memory_gib_hours,
        {{ steady_sum('allocatable_gpus * interval_seconds') }} / 3600 as allocatable_gpu_hours,
        {{ time_weighted_mean('cpu_hourly_cost', 'cpu_cores * interval_seconds') }}
            as cpu_hourly_cost,
        {{ time_weighted_mean('memory_hourly_cost', 'memory_gib * interval_seconds') }}
            as memory_hourly_cost,
        {{ time_weighted_mean('gpu_hourly_cost', 'gpus * interval_seconds') }}
            as gpu_hourly_cost

    from sized
    where cpu_cores is not null and memory_bytes is not null
    group by day, cluster

)

select * from capacity
