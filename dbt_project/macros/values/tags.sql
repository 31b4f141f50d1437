{#- What a charge's tags say, in the words of settings. -#}

{#- The value of the first of `keys` that the map holds, ignoring case, or null.
    A blank value is no value; of keys that differ in case alone, the first in byte order wins. -#}
{% macro tag_value(tags, keys) %}
    {{- return(adapter.dispatch('tag_value', 'finops')(tags, keys)) -}}
{% endmacro %}

{% macro default__tag_value(tags, keys) -%}
    coalesce(
        {%- for key in keys %}
        nullif(trim({{ tags }}[{{ string_literal(key | lower) }}]), ''),
        {%- endfor %}
        null
    )
{%- endmacro %}

{% macro duckdb__tag_value(tags, keys) -%}
    coalesce(
        {%- for key in keys %}
        nullif(trim(list_sort(list_filter(
            map_entries({{ tags }}),
            lambda tag: lower(tag.key) = {{ string_literal(key | lower) }}
                and trim(tag.value) != ''
        ))[1].value), ''),
        {%- endfor %}
        cast(null as varchar)
    )
{%- endmacro %}


{#- A resource's kind as Kubernetes writes it: providers prefix it with its API group
    (apps/v1-Deployment) or write it in lower case. -#}
{% macro workload_kind(value) %}
    {{- return(adapter.dispatch('workload_kind', 'finops')(value)) -}}
{% endmacro %}

{% macro default__workload_kind(value) -%}
    {{ value }}
{%- endmacro %}

{% macro duckdb__workload_kind(value) -%}
    {%- set last_word = "nullif(regexp_extract(" ~ value ~ ", '[A-Za-z0-9]+$'), '')" -%}
    case lower({{ last_word }})
        {%- for kind in [
            'CronJob', 'DaemonSet', 'Deployment', 'InferenceService', 'Job', 'Pod', 'ReplicaSet',
            'StatefulSet',
        ] %}
        when '{{ kind | lower }}' then '{{ kind }}'
        {%- endfor %}
        else {{ last_word }}
    end
{%- endmacro %}
