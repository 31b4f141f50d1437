with

measurements as (

    select * from {{ ref('stg_telemetry__measurements') }}

),

pivoted as (

    select
        day,
        time,
        cluster,
        namespace,
        kind,
        name,
        coalesce(container, '') as container,
        min(interval_seconds) as interval_seconds,
        {% for column, metric in measured_columns().items() %}
        {{ value_of(metric) }} as {{ column }},
        {% endfor %}
        {% for column, (metric, of_replica) in replica_columns().items() %}
        {{ value_of(metric, of_replica) }} as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from measurements
    where metric in ({{ string_literals(measured_metrics()) }})
    group by
        day,
        time,
        cluster,
        namespace,
        kind,
        name,
        coalesce(container, '')

),

named as (

    select
        *,
        kind || '/' || namespace || '/' || name as resource
    from pivoted

)

select * from named
