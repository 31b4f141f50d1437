{#- Where rows come in: the landing zone's Parquet, or nothing of the right shape. -#}

{#- Rows of one landing table within its clock's window. `{{ landing(source('focus', 'charges')) }}`
    A table that nothing was ever landed in is empty, with the columns its source declares.
    The partition's date comes as `partition_date`. What was landed before the table had all of its
    columns has nulls there, by the types its source declares. -#}
{% macro landing(relation) %}
    {{- return(adapter.dispatch('landing', 'finops')(relation)) -}}
{% endmacro %}

{% macro default__landing(relation) %}
    {{- return(relation) -}}
{% endmacro %}

{% macro duckdb__landing(relation) %}
    {%- set folder = glob_escaped(var('landing_root')) ~ '/' ~ relation.identifier -%}
    {%- set pattern = dbt.escape_single_quotes(folder ~ '/partition=*/*.parquet') -%}
    {%- set window = landing_window(relation.identifier) -%}
    {%- if not execute -%}
        {{- return('(select 1)') -}}
    {%- elif run_query("select 1 from glob('" ~ pattern ~ "') limit 1").rows | length == 0 -%}
        {{- return(nothing_of(relation, {'partition_date': 'date'})) -}}
    {%- endif -%}
    {%- set rows -%}
    (
        select
            * exclude ("partition"),
            "partition" as partition_date
        from read_parquet(
            '{{ pattern }}',
            union_by_name = true,
            hive_partitioning = true,
            hive_types = {'partition': date}
        )
        where "partition" between {{ window.first }} and {{ window.last }}
        union all by name
        select * from {{ nothing_of(relation, {'partition_date': 'date'}) }}
    )
    {%- endset -%}
    {{- return(rows) -}}
{% endmacro %}


{#- Records of the accepted deliveries of landing tables within their window. `relations`: their
    sources, so that lineage runs from what landed. -#}
{% macro landing_deliveries(relations) %}
    {{- return(adapter.dispatch('landing_deliveries', 'finops')(relations)) -}}
{% endmacro %}

{% macro default__landing_deliveries(relations) %}
    {{- return(relations[0].incorporate(path={'identifier': 'deliveries'})) -}}
{% endmacro %}

{#- The records are many tiny files; a name that opens with its partition's date and lies outside
    the window is not opened, so that a day's run does not pay for the years before it. -#}
{% macro duckdb__landing_deliveries(relations) %}
    {%- if not execute -%} {{- return('(select 1)') -}} {%- endif -%}
    {%- set files = [] -%}
    {%- for relation in relations -%}
        {%- set table = relation.identifier -%}
        {%- set folder = glob_escaped(var('landing_root')) ~ '/deliveries/' ~ table -%}
        {%- set window = landing_window(table) -%}
        {%- set found -%}
            select file
            from glob('{{ dbt.escape_single_quotes(folder ~ '/*.parquet') }}')
            where coalesce(
                try_cast(left(parse_filename(file), 10) as date)
                between {{ window.first }} and {{ window.last }},
                true
            )
            order by file
        {%- endset -%}
        {%- for row in run_query(found).rows -%}
            {%- do files.append(string_literal(glob_escaped(row[0]))) -%}
        {%- endfor -%}
    {%- endfor -%}
    {%- if not files -%} {{- return(nothing(delivery_columns())) -}} {%- endif -%}
    {{- return("(select * from read_parquet([" ~ files | join(', ') ~ "]))") -}}
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


{#- Columns of a delivery's record, as storage writes it. -#}
{% macro delivery_columns() %}
    {{- return({
        'source': 'varchar',
        'delivery_id': 'varchar',
        'partition': 'date',
        'known_at': 'timestamptz',
        'rows_landed': 'bigint',
        'table': 'varchar',
    }) -}}
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
