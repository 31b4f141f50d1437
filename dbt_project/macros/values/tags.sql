{#- What a charge's tags say, in the words of settings. -#}

{#- A map as something to group by: not every engine compares maps. -#}
{% macro map_key(column) %}
    {{- return(adapter.dispatch('map_key', 'finops')(column)) -}}
{% endmacro %}

{% macro default__map_key(column) -%}
    to_json({{ column }})
{%- endmacro %}

{% macro duckdb__map_key(column) -%}
    {{ column }}
{%- endmacro %}


{#- The map that `map_key` made a key of. A state such as any_value of a map would do on DuckDB too,
    but cannot be spilled: a bill of 100 million charges did not fit a gigabyte. -#}
{% macro map_of_key(key) %}
    {{- return(adapter.dispatch('map_of_key', 'finops')(key)) -}}
{% endmacro %}

{% macro default__map_of_key(key) -%}
    from_json({{ key }}, 'map<string, string>')
{%- endmacro %}

{% macro duckdb__map_of_key(key) -%}
    {{ key }}
{%- endmacro %}


{#- A map of tags as something to look names up in, made once per row: a blank value is no
    value, case is ignored, and of keys that differ in case alone the first in byte order wins. -#}
{% macro tag_entries(tags) %}
    {{- return(adapter.dispatch('tag_entries', 'finops')(tags)) -}}
{% endmacro %}

{% macro default__tag_entries(tags) -%}
    map_from_entries(transform(
        array_sort(filter(map_entries({{ tags }}), tag -> trim(tag.value) != '')),
        tag -> struct(lower(tag.key), tag.value)
    ))
{%- endmacro %}

{% macro duckdb__tag_entries(tags) -%}
    list_sort(list_filter(map_entries({{ tags }}), lambda tag: trim(tag.value) != ''))
{%- endmacro %}


{#- Names what the entries say: equal entries have equal names; null where there is none. -#}
{% macro tag_set_id(entries) %}
    {{- return(adapter.dispatch('tag_set_id', 'finops')(entries)) -}}
{% endmacro %}

{% macro default__tag_set_id(entries) -%}
    case when size({{ entries }}) > 0 then md5(to_json({{ entries }})) end
{%- endmacro %}

{% macro duckdb__tag_set_id(entries) -%}
    case when len({{ entries }}) > 0 then md5(cast(to_json({{ entries }}) as varchar)) end
{%- endmacro %}


{#- A row for each entry. -#}
{% macro each_tag(entries) %}
    {{- return(adapter.dispatch('each_tag', 'finops')(entries)) -}}
{% endmacro %}

{% macro default__each_tag(entries) -%}
    explode(map_entries({{ entries }}))
{%- endmacro %}

{% macro duckdb__each_tag(entries) -%}
    unnest({{ entries }})
{%- endmacro %}


{#- A field of one entry. -#}
{% macro tag_field(entry, field) %}
    {{- return(adapter.dispatch('tag_field', 'finops')(entry, field)) -}}
{% endmacro %}

{% macro default__tag_field(entry, field) -%}
    {{ entry }}.{{ field }}
{%- endmacro %}

{% macro duckdb__tag_field(entry, field) -%}
    struct_extract({{ entry }}, '{{ field }}')
{%- endmacro %}


{#- The names of those entries, in their order. -#}
{% macro tag_names(entries) %}
    {{- return(adapter.dispatch('tag_names', 'finops')(entries)) -}}
{% endmacro %}

{% macro default__tag_names(entries) -%}
    map_keys({{ entries }})
{%- endmacro %}

{% macro duckdb__tag_names(entries) -%}
    list_transform({{ entries }}, lambda tag: lower(tag.key))
{%- endmacro %}


{#- The value of the first of `keys` that is there, or null. Of a key that ends in `*` it is the
    rest of the tag's own key. -#}
{% macro tag_value(keys, entries='tag_entries', names='tag_names') %}
    {{- return(adapter.dispatch('tag_value', 'finops')(keys, entries, names)) -}}
{% endmacro %}

{% macro default__tag_value(keys, entries, names) -%}
    coalesce(
        {%- for key in keys %}
        {%- if key.endswith('*') %}
        nullif(trim(substr(
            filter(map_keys({{ entries }}), name -> startswith(name, {{ string_literal(key[:-1] | lower) }}))[0],
            {{ key | length }}
        )), ''),
        {%- else %}
        trim({{ entries }}[{{ string_literal(key | lower) }}]),
        {%- endif %}
        {%- endfor %}
        cast(null as {{ dbt.type_string() }})
    )
{%- endmacro %}

{% macro duckdb__tag_value(keys, entries, names) -%}
    coalesce(
        {%- for key in keys %}
        {%- if key.endswith('*') %}
        nullif(trim(substr(
            {{ entries }}[list_position({{ names }}, list_filter(
                {{ names }}, lambda name: starts_with(name, {{ string_literal(key[:-1] | lower) }})
            )[1])].key,
            {{ key | length }}
        )), ''),
        {%- else %}
        trim({{ entries }}[list_position({{ names }}, {{ string_literal(key | lower) }})].value),
        {%- endif %}
        {%- endfor %}
        cast(null as {{ dbt.type_string() }})
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
