{#- Where a run ran, by its tags. -#}

{#- Keys of tags that say a part of a place: the settings' first, then OpenTelemetry's. -#}
{% macro run_place_keys(part) %}
    {%- set conventions = {
        'namespace': ['k8s.namespace.name'],
        'workload_kind': ['k8s.workload.kind'],
        'workload': ['k8s.workload.name'],
    } -%}
    {{- return(var('tag_keys')[part] + conventions[part]) -}}
{% endmacro %}

{% macro instant_type() %}
    {{- return(adapter.dispatch('instant_type', 'finops')()) -}}
{% endmacro %}

{% macro default__instant_type() %}
    {{- return('timestamp') -}}
{% endmacro %}

{% macro duckdb__instant_type() %}
    {{- return('timestamptz') -}}
{% endmacro %}
