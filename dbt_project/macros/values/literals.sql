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


{#- Values of settings as rows: `columns` name -> type, `rows` a list of lists. None is null. -#}
{% macro inline_rows(columns, rows) %}
    {%- if not rows -%} {{- return(nothing(columns)[1:-1]) -}} {%- endif -%}
    select
        {%- for name, data_type in columns.items() %}
        cast({{ name }} as {{ data_type }}) as {{ name }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from (
        values
        {%- for row in rows %}
        (
            {%- for value in row -%}
            {{ 'null' if value is none else string_literal(value) }}
            {%- if not loop.last %}, {% endif -%}
            {%- endfor -%}
        )
        {%- if not loop.last %},{% endif %}
        {%- endfor %}
    ) as given ({{ columns | join(', ') }})
{%- endmacro %}


{#- A mapping of settings as rows of two strings; empty if the mapping is. -#}
{% macro mapping_rows(mapping, key, value) %}
    {{- return(inline_rows(
        {key: dbt.type_string(), value: dbt.type_string()}, mapping.items() | list
    )) -}}
{% endmacro %}


{#- Settings' values as rows of one string; empty if there are none. -#}
{% macro value_rows(values, column) %}
    {%- set rows = [] -%}
    {%- for value in values -%} {%- do rows.append([value]) -%} {%- endfor -%}
    {{- return(inline_rows({column: dbt.type_string()}, rows)) -}}
{% endmacro %}


{#- 0 to 23 as rows. -#}
{% macro hours_of_day(column) %}
    {%- for hour in range(24) %}
    select {{ hour }} as {{ column }}
    {% if not loop.last %}union all{% endif %}
    {%- endfor -%}
{% endmacro %}
