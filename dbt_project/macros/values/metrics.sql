{#- Column of fct_workload_measurements -> exporter's metric, as landed; or several, of which a
    resource has one. Node metrics have no
    column there. -#}
{% macro measured_columns() %}
    {{- return({
        'cpu_cores': 'container_cpu_usage_seconds_total',
        'cpu_request_cores': 'kube_pod_container_resource_requests_cpu',
        'gpu_requests': 'kube_pod_container_resource_requests_gpu',
        'memory_working_set_bytes': 'container_memory_working_set_bytes',
        'memory_request_bytes': 'kube_pod_container_resource_requests_memory',
        'memory_limit_bytes': 'kube_pod_container_resource_limits_memory',
        'replicas': [
            'kube_deployment_spec_replicas',
            'kube_statefulset_replicas',
            'kube_daemonset_status_desired_number_scheduled',
        ],
        'gpu_utilisation_percent': 'DCGM_FI_DEV_GPU_UTIL',
        'gpu_power_watts': 'DCGM_FI_DEV_POWER_USAGE',
        'cpu_power_watts': 'kepler_container_package_joules_total',
        'memory_power_watts': 'kepler_container_dram_joules_total',
        'network_receive_bytes_per_second': 'container_network_receive_bytes_total',
        'volume_used_bytes': 'kubelet_volume_stats_used_bytes',
        'volume_capacity_bytes': 'kubelet_volume_stats_capacity_bytes',
        'cpu_limit_cores': 'kube_pod_container_resource_limits_cpu',
        'cpu_periods_per_second': 'container_cpu_cfs_periods_total',
        'cpu_throttled_periods_per_second': 'container_cpu_cfs_throttled_periods_total',
        'network_transmit_bytes_per_second': 'container_network_transmit_bytes_total',
        'restarts_per_second': 'kube_pod_container_status_restarts_total',
        'oom_kills_per_second': 'container_oom_events_total',
        'gpu_memory_used_mib': 'DCGM_FI_DEV_FB_USED',
        'gpu_memory_free_mib': 'DCGM_FI_DEV_FB_FREE',
    }) -}}
{% endmacro %}


{#- What fct_cluster_capacity_daily knows of a node -> exporter's metric, as landed. -#}
{% macro node_columns() %}
    {{- return({
        'cpu_cores': 'kube_node_status_capacity_cpu',
        'memory_bytes': 'kube_node_status_capacity_memory',
        'gpus': 'kube_node_status_capacity_gpu',
        'allocatable_cpu_cores': 'kube_node_status_allocatable_cpu',
        'allocatable_memory_bytes': 'kube_node_status_allocatable_memory',
        'allocatable_gpus': 'kube_node_status_allocatable_gpu',
        'cpu_hourly_cost': 'node_cpu_hourly_cost',
        'memory_hourly_cost': 'node_ram_hourly_cost',
        'gpu_hourly_cost': 'node_gpu_hourly_cost',
    }) -}}
{% endmacro %}


{#- What fct_machine_measurements knows of a machine or a database -> exporter's metric, as landed. -#}
{% macro machine_columns() %}
    {{- return({
        'cpu_cores': 'node_cpu_seconds_total',
        'cpu_percent': ['aws_ec2_cpuutilization_average', 'aws_rds_cpuutilization_average'],
        'memory_bytes': 'node_memory_MemTotal_bytes',
        'memory_available_bytes': [
            'node_memory_MemAvailable_bytes',
            'aws_rds_freeable_memory_average',
        ],
        'network_receive_bytes_per_second': [
            'node_network_receive_bytes_total',
            'aws_rds_network_receive_throughput_average',
        ],
        'network_transmit_bytes_per_second': [
            'node_network_transmit_bytes_total',
            'aws_rds_network_transmit_throughput_average',
        ],
        'disk_read_bytes_per_second': [
            'node_disk_read_bytes_total',
            'aws_rds_read_throughput_average',
        ],
        'disk_written_bytes_per_second': [
            'node_disk_written_bytes_total',
            'aws_rds_write_throughput_average',
        ],
        'connections': 'aws_rds_database_connections_average',
    }) -}}
{% endmacro %}


{#- Every metric that a machine or a database has a column for. -#}
{% macro machine_metrics() %}
    {%- set metrics = [] -%}
    {%- for metric in machine_columns().values() -%}
        {%- do metrics.extend([metric] if metric is string else metric) -%}
    {%- endfor -%}
    {{- return(metrics) -}}
{% endmacro %}


{#- Every metric that has a column. -#}
{% macro measured_metrics() %}
    {%- set metrics = [] -%}
    {%- for metric in measured_columns().values() -%}
        {%- do metrics.extend([metric] if metric is string else metric) -%}
    {%- endfor -%}
    {{- return(metrics) -}}
{% endmacro %}


{#- Column of fct_workload_measurements -> (metric, what of a single replica). -#}
{% macro replica_columns() %}
    {{- return({
        'cpu_cores_replica_max': ('container_cpu_usage_seconds_total', 'value_max'),
        'cpu_cores_replica_p95': ('container_cpu_usage_seconds_total', 'value_p95'),
        'memory_replica_max_bytes': ('container_memory_working_set_bytes', 'value_max'),
        'memory_replica_p95_bytes': ('container_memory_working_set_bytes', 'value_p95'),
        'gpus_measured': ('DCGM_FI_DEV_GPU_UTIL', 'series'),
        'replicas_measured': ('container_cpu_usage_seconds_total', 'series'),
        'gpu_utilisation_device_p95_percent': ('DCGM_FI_DEV_GPU_UTIL', 'value_p95'),
        'gpu_memory_device_max_mib': ('DCGM_FI_DEV_FB_USED', 'value_max'),
    }) -}}
{% endmacro %}


{#- The value of one metric in a group: of two sources' values the larger, never their sum. -#}
{% macro value_of(metric, column='value') -%}
    {%- set metrics = [metric] if metric is string else metric -%}
    max(case when metric in ({{ string_literals(metrics) }}) then {{ column }} end)
{%- endmacro %}


{#- Provider whose region names look like this one, or null. -#}
{% macro provider_of(region) -%}
    case
        when {{ matches(region, '[a-z]{2}(-[a-z]+)+-[0-9]+') }} then 'aws'
        when {{ matches(region, '[a-z]+-[a-z]+[0-9]+') }} then 'gcp'
        when {{ matches(region, '[a-z]{6,}[0-9]?') }} then 'azure'
    end
{%- endmacro %}
