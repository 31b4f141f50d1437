{%- set measured = {
    'invocations': 'aws_lambda_invocations_sum',
    'duration_ms_mean': 'aws_lambda_duration_average',
    'duration_ms_p95': 'aws_lambda_duration_p95',
    'memory_mb': 'aws_lambdainsights_total_memory_maximum',
    'memory_used_mb_max': 'aws_lambdainsights_used_memory_max_maximum',
    'concurrent_executions_max': 'aws_lambda_concurrent_executions_maximum',
    'provisioned_used_max': 'aws_lambda_provisioned_concurrent_executions_maximum',
    'provisioned_utilisation_max': 'aws_lambda_provisioned_concurrency_utilization_maximum',
    'spillover_invocations': 'aws_lambda_provisioned_concurrency_spillover_invocations_sum',
} -%}

with

measurements as (

    select * from {{ ref('stg_telemetry__measurements') }}
    where metric in ({{ string_literals(measured.values() | list) }})

),

pivoted as (

    select
        day,
        time,
        min(interval_seconds) as interval_seconds,
        kind || '/' || namespace || '/' || name as resource,
        cluster,
        name,
        {% for column, metric in measured.items() %}
        {{ value_of(metric) }} as {{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from measurements
    group by day, time, kind || '/' || namespace || '/' || name, cluster, name

)

select * from pivoted
