{#- Column of fct_workload_measurements -> exporter's metric, as landed. Node metrics and GPU
    memory have no column there. -#}
{% macro measured_columns() %}
    {{- return({
        'cpu_cores': 'container_cpu_usage_seconds_total',
        'cpu_request_cores': 'kube_pod_container_resource_requests_cpu',
        'memory_working_set_bytes': 'container_memory_working_set_bytes',
        'memory_request_bytes': 'kube_pod_container_resource_requests_memory',
        'memory_limit_bytes': 'kube_pod_container_resource_limits_memory',
        'replicas': 'kube_deployment_spec_replicas',
        'gpu_utilisation_percent': 'DCGM_FI_DEV_GPU_UTIL',
        'gpu_power_watts': 'DCGM_FI_DEV_POWER_USAGE',
        'cpu_power_watts': 'kepler_container_package_joules_total',
        'memory_power_watts': 'kepler_container_dram_joules_total',
        'network_receive_bytes_per_second': 'container_network_receive_bytes_total',
        'volume_used_bytes': 'kubelet_volume_stats_used_bytes',
        'volume_capacity_bytes': 'kubelet_volume_stats_capacity_bytes',
    }) -}}
{% endmacro %}


{#- The value of one metric in a group: of two sources' values the larger, never their sum. -#}
{% macro value_of(metric) -%}
    max(case when metric = {{ string_literal(metric) }} then value end)
{%- endmacro %}


{#- Provider whose region names look like this one, or null. -#}
{% macro provider_of(region) -%}
    case
        when {{ matches(region, '[a-z]{2}(-[a-z]+)+-[0-9]+') }} then 'aws'
        when {{ matches(region, '[a-z]+-[a-z]+[0-9]+') }} then 'gcp'
        when {{ matches(region, '[a-z]{6,}[0-9]?') }} then 'azure'
    end
{%- endmacro %}
