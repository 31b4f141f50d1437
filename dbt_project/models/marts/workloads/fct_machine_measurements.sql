with

measurements as (

    select * from {{ ref('stg_telemetry__measurements') }}

),

-- machines of Kubernetes clusters are their autoscalers' to size
nodes as (

    select distinct
        day,
        cluster,
        name
    from measurements
    where kind = 'Node' and metric = '{{ node_columns()['cpu_cores'] }}'

),

measured as (

    select
        day,
        time,
        cluster,
        kind,
        name,
        min(interval_seconds) as interval_seconds,
        {% for column, metric in machine_columns().items() %}
        {{ value_of(metric) }} as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from measurements
    where
        kind in ('Node', 'Machine', 'Database')
        and metric in ({{ string_literals(machine_metrics()) }})
    group by day, time, cluster, kind, name

),

final as (

    select
        -- ids and times of the grain
        measured.day,
        measured.time,
        measured.interval_seconds,
        measured.cluster,
        measured.kind,
        measured.name,

        -- numbers
        measured.cpu_cores,
        measured.cpu_percent,
        measured.memory_bytes - measured.memory_available_bytes as memory_used_bytes,
        measured.memory_available_bytes,
        measured.network_receive_bytes_per_second,
        measured.network_transmit_bytes_per_second,
        measured.disk_read_bytes_per_second,
        measured.disk_written_bytes_per_second,
        measured.connections

    from measured
    left join nodes
        on
            measured.kind = 'Node'
            and measured.day = nodes.day
            and measured.cluster = nodes.cluster
            and measured.name = nodes.name
    where nodes.name is null

)

select * from final
