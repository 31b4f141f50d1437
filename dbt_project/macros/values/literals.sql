{#- Values from settings as SQL text: always quoted here, nowhere else. -#}

{% macro string_literal(value) %}
    {{- return(dbt.string_literal(dbt.escape_single_quotes(value | string))) -}}
{% endmacro %}

{% macro string_literals(values) %}
    {%- set literals = [] -%}
    {%- for value in values -%} {%- do literals.append(string_literal(value)) -%} {%- endfor -%}
    {{- return(literals | join(', ')) -}}
{% endmacro %}

{% macro date_literal(value) %}
    {{- return('cast(' ~ string_literal(value) ~ ' as date)') -}}
{% endmacro %}

{% macro instant_literal(value) %}
    {{- return(adapter.dispatch('instant_literal', 'finops')(value)) -}}
{% endmacro %}

{% macro default__instant_literal(value) %}
    {{- return('cast(' ~ string_literal(value) ~ ' as timestamp)') -}}
{% endmacro %}

{% macro duckdb__instant_literal(value) %}
    {{- return('cast(' ~ string_literal(value) ~ ' as timestamptz)') -}}
{% endmacro %}


{#- Midnight UTC at the start of a date. -#}
{% macro instant_of(day) %}
    {{- return(adapter.dispatch('instant_of', 'finops')(day)) -}}
{% endmacro %}

{% macro default__instant_of(day) %}
    {{- return('cast(' ~ day ~ ' as timestamp)') -}}
{% endmacro %}

{% macro duckdb__instant_of(day) %}
    {{- return('cast(' ~ day ~ ' as timestamptz)') -}}
{% endmacro %}


{#- A mapping of settings as rows of two strings; empty if the mapping is. -#}
{% macro mapping_rows(mapping, key, value) %}
    {%- if not mapping %}
    select
        cast(null as {{ dbt.type_string() }}) as {{ key }},
        cast(null as {{ dbt.type_string() }}) as {{ value }}
    where false
    {%- endif -%}
    {%- for name in mapping %}
    select
        cast({{ string_literal(name) }} as {{ dbt.type_string() }}) as {{ key }},
        cast({{ string_literal(mapping[name]) }} as {{ dbt.type_string() }}) as {{ value }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor -%}
{% endmacro %}


{#- Settings' values as rows of one string; empty if there are none. -#}
{% macro value_rows(values, column) %}
    {%- if not values %}
    select cast(null as {{ dbt.type_string() }}) as {{ column }}
    where false
    {%- endif -%}
    {%- for value in values %}
    select cast({{ string_literal(value) }} as {{ dbt.type_string() }}) as {{ column }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor -%}
{% endmacro %}


{#- 0 to 23 as rows. -#}
{% macro hours_of_day(column) %}
    {%- for hour in range(24) %}
    select {{ hour }} as {{ column }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor -%}
{% endmacro %}
