{#- Rows of the Parquet files that a run is given for a source, by `var('published')`: published
    marts, or what a repository declares. `{{ published(source('published', 'fct_costs_daily')) }}`
    A source without files is empty, with the columns it declares; a column that a file lacks is
    null. -#}
{% macro published(relation) %}
    {{- return(adapter.dispatch('published', 'finops')(relation)) -}}
{% endmacro %}

{% macro default__published(relation) %}
    {{- return(relation) -}}
{% endmacro %}

{% macro duckdb__published(relation) %}
    {%- if not execute -%} {{- return('(select 1)') -}} {%- endif -%}
    {%- set shape = nothing_of(relation) -%}
    {%- set files = [] -%}
    {%- for path in var('published').get(relation.identifier, []) -%}
        {%- do files.append(string_literal(glob_escaped(path))) -%}
    {%- endfor -%}
    {%- if not files -%} {{- return(shape) -}} {%- endif -%}
    {%- set rows -%}
    (
        select * from read_parquet([{{ files | join(', ') }}], union_by_name = true)
        union all by name
        select * from {{ shape }}
    )
    {%- endset -%}
    {{- return(rows) -}}
{% endmacro %}


{#- The conditions of the days that resources are matched by: of costs, and of measurements. -#}
{% macro in_last_days(column, days) %}
    {%- set last = date_literal(var('last_day')) -%}
    {{- return(
        column ~ ' > ' ~ dbt.dateadd('day', -(days | int), last)
        ~ ' and ' ~ column ~ ' <= ' ~ last
    ) -}}
{% endmacro %}
