{#- What landing noted of deliveries: their records, and the totals of bills. Both are many tiny
    files; a name that opens with its partition's date and lies outside the window is not opened,
    so that a day's run does not pay for the years before it. -#}

{#- Records of the accepted deliveries of landing tables within their window. `relations`: their
    sources, so that lineage runs from what landed. -#}
{% macro landing_deliveries(relations) %}
    {{- return(adapter.dispatch('landing_deliveries', 'finops')(relations)) -}}
{% endmacro %}

{% macro default__landing_deliveries(relations) %}
    {{- return(relations[0].incorporate(path={'identifier': 'deliveries'})) -}}
{% endmacro %}

{% macro duckdb__landing_deliveries(relations) %}
    {{- return(noted('deliveries', relations, {
        'source': 'varchar',
        'delivery_id': 'varchar',
        'partition': 'date',
        'known_at': 'timestamptz',
        'rows_landed': 'bigint',
        'table': 'varchar',
    })) -}}
{% endmacro %}


{#- Costs of every accepted delivery of a bill by service, account, currency and class. -#}
{% macro landing_totals(relation) %}
    {{- return(adapter.dispatch('landing_totals', 'finops')(relation)) -}}
{% endmacro %}

{% macro default__landing_totals(relation) %}
    {{- return(relation.incorporate(path={'identifier': relation.identifier ~ '_totals'})) -}}
{% endmacro %}

{% macro duckdb__landing_totals(relation) %}
    {{- return(noted('totals', [relation], {
        'source': 'varchar',
        'delivery_id': 'varchar',
        'service_name': 'varchar',
        'billing_account_id': 'varchar',
        'sub_account_id': 'varchar',
        'billing_currency': 'varchar',
        'charge_class': 'varchar',
        'billed_cost': 'decimal(38,20)',
        'effective_cost': 'decimal(38,20)',
        'list_cost': 'decimal(38,20)',
        'contracted_cost': 'decimal(38,20)',
        'charge_count': 'bigint',
    })) -}}
{% endmacro %}


{% macro noted(kind, relations, columns) %}
    {%- if not execute -%} {{- return('(select 1)') -}} {%- endif -%}
    {%- set files = [] -%}
    {%- for relation in relations -%}
        {%- set table = relation.identifier -%}
        {%- set folder = glob_escaped(var('landing_root')) ~ '/' ~ kind ~ '/' ~ table -%}
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
    {%- if not files -%} {{- return(nothing(columns)) -}} {%- endif -%}
    {{- return("(select * from read_parquet([" ~ files | join(', ') ~ "]))") -}}
{% endmacro %}
