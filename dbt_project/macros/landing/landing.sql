{#- Where rows come in: the landing zone's Parquet, or nothing of the right shape. -#}

{#- Rows of one landing table that belong to deliveries in force within its clock's window.
    `{{ landing(source('focus', 'charges'), ref('base_landing__billing_deliveries')) }}`
    A table that nothing was ever landed in is empty, with the columns its source declares.
    The partition's date comes as `partition_date`. -#}
{% macro landing(relation, deliveries) %}
    {{- return(adapter.dispatch('landing', 'finops')(relation, deliveries)) -}}
{% endmacro %}

{% macro default__landing(relation, deliveries) -%}
    (
        select landed.*
        from {{ relation }} as landed
        inner join {{ deliveries }} as in_force
            on
                landed.source = in_force.source
                and landed.partition_date = in_force.partition_date
                and landed.delivery_id = in_force.delivery_id
        where in_force.landing_table = '{{ relation.identifier }}'
    )
{%- endmacro %}

{#- A delivery is a file, so only files in force are opened: neither other partitions nor what was
    superseded costs anything. They may have been landed before the table had all of its columns:
    what a file lacks is null, by the types its source declares. -#}
{% macro duckdb__landing(relation, deliveries) %}
    {%- if not execute -%} {{- return('(select 1)') -}} {%- endif -%}
    {%- set shape = nothing_of(relation, {'partition_date': 'date'}) -%}
    {%- set built = load_relation(deliveries) -%}
    {%- if built is none -%} {{- return(shape) -}} {%- endif -%}
    {%- set in_force -%}
        select
            cast(partition_date as varchar) as partition_date,
            source || '.' || delivery_id || '.parquet' as file
        from {{ built }}
        where landing_table = '{{ relation.identifier }}'
        order by all
    {%- endset -%}
    {%- set files = [] -%}
    {%- for row in run_query(in_force).rows -%}
        {%- set path = [var('landing_root'), relation.identifier, 'partition=' ~ row[0], row[1]] -%}
        {%- do files.append(string_literal(glob_escaped(path | join('/')))) -%}
    {%- endfor -%}
    {%- if not files -%} {{- return(shape) -}} {%- endif -%}
    {%- set rows -%}
    (
        select
            * exclude ("partition"),
            "partition" as partition_date
        from read_parquet(
            [{{ files | join(', ') }}],
            union_by_name = true,
            hive_partitioning = true,
            hive_types = {'partition': date}
        )
        union all by name
        select * from {{ shape }}
    )
    {%- endset -%}
    {{- return(rows) -}}
{% endmacro %}


{#- Rows of one file the ledger exports for the warehouse, or nothing of the declared shape. -#}
{% macro ledger_export(relation) %}
    {{- return(adapter.dispatch('ledger_export', 'finops')(relation)) -}}
{% endmacro %}

{% macro default__ledger_export(relation) %}
    {{- return(relation) -}}
{% endmacro %}

{% macro duckdb__ledger_export(relation) %}
    {%- set path = glob_escaped(var('ledger_root')) ~ '/' ~ relation.identifier ~ '.parquet' -%}
    {%- set file = string_literal(path) -%}
    {%- if not execute -%}
        {{- return('(select 1)') -}}
    {%- elif run_query("select 1 from glob(" ~ file ~ ")").rows | length == 0 -%}
        {{- return(nothing_of(relation)) -}}
    {%- endif -%}
    {{- return("(select * from read_parquet(" ~ file ~ "))") -}}
{% endmacro %}


{#- An empty relation with the columns a source declares, and those given besides. -#}
{% macro nothing_of(relation, besides={}) %}
    {%- set columns = {} -%}
    {%- for node in graph.sources.values()
        if node.source_name == relation.schema and node.name == relation.identifier -%}
        {%- for column in node.columns.values() -%}
            {%- do columns.update({column.name: column.data_type}) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- do columns.update(besides) -%}
    {{- return(nothing(columns)) -}}
{% endmacro %}

{% macro nothing(columns) %}
    {%- set nulls = [] -%}
    {%- for name, data_type in columns.items() -%}
        {%- do nulls.append('cast(null as ' ~ data_type ~ ') as ' ~ adapter.quote(name)) -%}
    {%- endfor -%}
    {{- return('(select ' ~ nulls | join(', ') ~ ' where false)') -}}
{% endmacro %}


{#- A path in which no character is a wildcard. -#}
{% macro glob_escaped(path) %}
    {{- return(path | replace('[', '[[]') | replace('*', '[*]') | replace('?', '[?]')) -}}
{% endmacro %}
