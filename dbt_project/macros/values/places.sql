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


{#- The place of a row, by the joins of `join_claiming_places`: the closest that a run of the day
    names. -#}
{% macro claimed_place(column) -%}
    coalesce(by_id.{{ column }}, by_resource.{{ column }}, by_namespace.{{ column }})
{%- endmacro %}

{#- Joins `places`, and `serving`, the workloads that serve models and are no part of their
    namespace's runs, to rows that have day, resource_id, resource and namespace. -#}
{% macro join_claiming_places(rows) -%}
    left join places as by_id
        on
            {{ rows }}.day = by_id.day
            and by_id.charged_by = 'resource_id'
            and {{ rows }}.resource_id = by_id.charged_to
    left join places as by_resource
        on
            {{ rows }}.day = by_resource.day
            and by_resource.charged_by = 'resource'
            and {{ rows }}.resource = by_resource.charged_to
    left join serving
        on {{ rows }}.resource = serving.resource
    left join places as by_namespace
        on
            {{ rows }}.day = by_namespace.day
            and by_namespace.charged_by = 'namespace'
            and {{ rows }}.namespace = by_namespace.charged_to
            and serving.resource is null
{%- endmacro %}
