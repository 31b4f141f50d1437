{#- What the name of an instance type says of its machine. -#}

{#- The instance type that a text names, as its provider spells it, or null. Names: AWS, "Instance
    type naming conventions"; Google, "Machine families resource and comparison guide"; Microsoft,
    "Virtual machine sizes naming conventions". -#}
{% macro instance_type_in(text) %}
    {%- set aws = '[a-z]+[0-9][a-z0-9-]*[.](nano|micro|small|medium|large|[0-9]*xlarge|metal)' -%}
    {%- set gcp = '[a-z][0-9][a-z]?-(standard|high[a-z]+|mega[a-z]+|ultra[a-z]+)-[0-9]+g?' -%}
    {%- set azure = '[A-Z]{1,2}[0-9]+[a-z]*([ _][A-Z][A-Z0-9]+)?[ _]v[0-9]+' -%}
    {%- set found = [] -%}
    {%- for name in [aws, gcp, azure] -%}
        {%- do found.append(
            first_match(text, '(^|[^A-Za-z0-9-])(' ~ name ~ ')($|[^A-Za-z0-9-])', 2)
        ) -%}
    {%- endfor -%}
    {%- set of_azure = found.pop() -%}
    {%- do found.append("'Standard_' || replace(" ~ of_azure ~ ", ' ', '_')") -%}
    {{- return('coalesce(' ~ found | join(', ') ~ ')') -}}
{% endmacro %}

{#- The family of an instance type, as its provider calls it: m6i, n2, Dsv5. -#}
{% macro instance_family(type) -%}
    case
        when {{ type }} like '%.%' then {{ dbt.split_part(type, "'.'", -2) }}
        when {{ type }} not like 'Standard!_%' escape '!'
            then {{ dbt.split_part(type, "'-'", 1) }}
    end
{%- endmacro %}

{#- Virtual CPUs of an instance type by its name, or null where its name does not tell. AWS: an
    xlarge has 4 and its multiples so many times as many, a large 2; burstable ones have 2 up to
    large. Google's names end with them; Microsoft's have them after the family since version 3. -#}
{% macro vcpus_of(type) %}
    {%- set size = dbt.split_part(type, "'.'", -1) -%}
    {%- set times = first_match(type, '([0-9]+)xlarge$', 1) -%}
    {%- set last = first_match(type, '-([0-9]+)$', 1) -%}
    {%- set azure = '^Standard_[A-Z]{1,2}([0-9]+)[a-z]*(_[A-Z0-9]+)?_v[3-9]' -%}
    {%- set after = first_match(type, azure, 1) -%}
    case
        when {{ type }} like '%.%' then case
            when {{ matches(type, '.*t[34][a-z]*[.](nano|micro|small|medium|large)') }} then 2
            when {{ matches(type, '.*t[0-9][.](nano|micro|small)') }} then 1
            when {{ type }} like 't2.medium' then 2
            when {{ size }} = 'medium' then 1
            when {{ size }} = 'large' then 2
            when {{ size }} = 'xlarge' then 4
            when {{ times }} is not null then 4 * cast({{ times }} as integer)
        end
        when {{ type }} like 'Standard!_%' escape '!' then cast({{ after }} as integer)
        else cast({{ last }} as integer)
    end
{%- endmacro %}

{#- The model of GPU that a text in lower case names, as the seed of coefficients calls it, or null. -#}
{% macro gpu_in(text) %}
    {%- set cases = [] -%}
    {%- for model in ['t4', 'v100_sxm2', 'a100_sxm', 'l4', 'h100_sxm'] -%}
        {%- set name = model.split('_') | first -%}
        {%- do cases.append(
            'when ' ~ matches(text, '(.*[^a-z0-9])?' ~ name ~ '([^a-z0-9].*)?')
            ~ ' then ' ~ string_literal(model)
        ) -%}
    {%- endfor -%}
    {{- return('case ' ~ cases | join(' ') ~ ' end') -}}
{% endmacro %}

{#- What a regular expression's group matches first in a text, or null. -#}
{% macro first_match(text, pattern, group) %}
    {{- return(
        'nullif(regexp_extract(' ~ text ~ ', ' ~ string_literal(pattern) ~ ', ' ~ group ~ "), '')"
    ) -}}
{% endmacro %}

{#- What a text that holds a JSON object says under a key, as text; null where it is no JSON. -#}
{% macro json_text(text, key) %}
    {{- return(adapter.dispatch('json_text', 'finops')(text, key)) -}}
{% endmacro %}

{% macro default__json_text(text, key) -%}
    get_json_object({{ text }}, '$.{{ key }}')
{%- endmacro %}

{% macro duckdb__json_text(text, key) -%}
    case when json_valid({{ text }}) then json_extract_string({{ text }}, '$.{{ key }}') end
{%- endmacro %}

{#- Whether two values are the same, or both unknown. -#}
{% macro same(one, other) %}
    {{- return(adapter.dispatch('same', 'finops')(one, other)) -}}
{% endmacro %}

{% macro default__same(one, other) -%}
    {{ one }} <=> {{ other }}
{%- endmacro %}

{% macro duckdb__same(one, other) -%}
    {{ one }} is not distinct from {{ other }}
{%- endmacro %}
