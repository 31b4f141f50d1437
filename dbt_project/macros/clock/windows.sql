{#- The two clocks' windows: what a run reads, replaces and tests. -#}

{% macro billing_window() %}
    {{- return({
        'column': 'billing_period',
        'first': date_literal(var('first_period')),
        'last': date_literal(var('last_period')),
    }) -}}
{% endmacro %}

{#- The billing window and the month before it, which its costs are compared with. -#}
{% macro compared_window() %}
    {%- set window = billing_window() -%}
    {{- return({
        'column': window.column,
        'first': dbt.dateadd('month', -1, window.first),
        'last': window.last,
    }) -}}
{% endmacro %}

{% macro day_window() %}
    {{- return({
        'column': 'day',
        'first': date_literal(var('first_day')),
        'last': date_literal(var('last_day')),
    }) -}}
{% endmacro %}

{#- The window of a landing table: only charges go by billing period. -#}
{% macro landing_window(table) %}
    {{- return(billing_window() if table == 'charges' else day_window()) -}}
{% endmacro %}

{#- The condition that keeps a window's rows. -#}
{% macro within(window) %}
    {{- return(window.column ~ ' between ' ~ window.first ~ ' and ' ~ window.last) -}}
{% endmacro %}


{#- Incremental strategy `window`: every row of the window goes, the new rows come, in one
    transaction. Unlike delete+insert by key, a day or month that has become empty is emptied. -#}
{% macro get_incremental_window_sql(arg_dict) %}
    {%- set by_month = 'billing' in config.get('tags') or 'allocation' in config.get('tags') -%}
    {%- set window = billing_window() if by_month else day_window() -%}
    {%- set columns = get_quoted_csv(arg_dict['dest_columns'] | map(attribute='name')) -%}
    delete from {{ arg_dict['target_relation'] }}
    where {{ within(window) }};

    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
    select {{ columns }}
    from {{ arg_dict['temp_relation'] }}
{% endmacro %}


{#- dbt's hook for the `where` of a test: the placeholders of dbt_project.yml become windows. -#}
{% macro get_where_subquery(relation) -%}
    {%- set where = config.get('where') -%}
    {%- if not where -%} {{- return(relation) -}} {%- endif -%}
    {%- set where = where
        | replace('__billing_window__', within(billing_window()))
        | replace('__day_window__', within(day_window())) -%}
    {{- return('(select * from ' ~ relation ~ ' where ' ~ where ~ ') as in_window') -}}
{%- endmacro %}
