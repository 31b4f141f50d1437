{#- Aggregates whose names differ between engines. -#}

{#- Linear quantile of a column; nulls do not count. -#}
{% macro quantile(column, share) %}
    {{- return(adapter.dispatch('quantile', 'finops')(column, share)) -}}
{% endmacro %}

{% macro default__quantile(column, share) -%}
    percentile_cont({{ share }}) within group (order by {{ column }})
{%- endmacro %}

{% macro duckdb__quantile(column, share) -%}
    quantile_cont({{ column }}, {{ share }})
{%- endmacro %}


{#- The last known value of a column by another, of equals the larger; nulls do not count. -#}
{% macro latest(column, by) %}
    {{- return(adapter.dispatch('latest', 'finops')(column, by)) -}}
{% endmacro %}

{% macro default__latest(column, by) -%}
    max_by({{ column }}, struct({{ by }}, {{ column }})) filter (where {{ column }} is not null)
{%- endmacro %}

{% macro duckdb__latest(column, by) -%}
    arg_max({{ column }}, row({{ by }}, {{ column }}))
{%- endmacro %}


{#- The sum of a double, the same in whatever order threads meet the rows: published files are
    named by their content, so a last digit that wavers would be a new version each time.
    15 digits behind the point, 23 before: a day of the largest gauge that landing lets pass. -#}
{% macro steady_sum(expression) -%}
    cast(sum(cast({{ expression }} as decimal(38, 15))) as double)
{%- endmacro %}

{% macro steady_mean(expression) -%}
    {{ steady_sum(expression) }} / nullif(count({{ expression }}), 0)
{%- endmacro %}


{#- Mean over time of a column sampled at intervals of `seconds`; null where never sampled. -#}
{% macro time_weighted_mean(column, seconds) -%}
    {{ steady_sum(column ~ ' * ' ~ seconds) }}
    / nullif(sum(case when {{ column }} is not null then {{ seconds }} end), 0)
{%- endmacro %}


{#- Of values by bound: the mean of the middle ones, the lowest of the low, the highest of the
    high. -#}
{% macro widest(column) -%}
    case bound
        when 'low' then min({{ column }}) when 'high' then max({{ column }}) else avg({{ column }})
    end
{%- endmacro %}


{#- Whether a text matches a regular expression as a whole. -#}
{% macro matches(text, pattern) %}
    {{- return(adapter.dispatch('matches', 'finops')(text, pattern)) -}}
{% endmacro %}

{% macro default__matches(text, pattern) -%}
    {{ text }} rlike '^({{ pattern }})$'
{%- endmacro %}

{% macro duckdb__matches(text, pattern) -%}
    regexp_full_match({{ text }}, '{{ pattern }}')
{%- endmacro %}
