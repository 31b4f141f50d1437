{#- Conversion of money, and the rates it is done by. -#}

{#- Rates known at the cutoff that may convert costs of the window, as landing keeps them. -#}
{% macro currency_rates() %}
    {{- return(adapter.dispatch('currency_rates', 'finops')()) -}}
{% endmacro %}

{% macro default__currency_rates() -%}
    (select * from currency_rates where taken_at <= {{ instant_literal(var('cutoff')) }})
{%- endmacro %}

{% macro duckdb__currency_rates() %}
    {%- set file = string_literal(glob_escaped(var('landing_root')) ~ '/rates.parquet') -%}
    {%- if not execute -%}
        {{- return('(select 1)') -}}
    {%- elif run_query("select 1 from glob(" ~ file ~ ")").rows | length == 0 -%}
        {{- return(nothing({
            'day': 'date',
            'from_currency': 'varchar',
            'to_currency': 'varchar',
            'rate': 'decimal(22,16)',
            'taken_at': 'timestamptz',
        })) -}}
    {%- endif -%}
    {%- set rates -%}
    (
        select * from read_parquet({{ file }})
        where
            taken_at <= {{ instant_literal(var('cutoff')) }}
            and day >= {{ billing_window().first }} - {{ var('rate_days') }}
    )
    {%- endset -%}
    {{- return(rates) -}}
{% endmacro %}


{#- An amount times a rate, both decimal and so the product: in whole units and the part behind the
    point, since two decimals of 20 places have more places between them than there are. What is
    behind the fifteenth place of an amount is rounded. -#}
{% macro converted(amount, rate) -%}
    cast(cast(trunc({{ amount }}) as decimal(18, 0)) * {{ rate }} as decimal(38, 20))
    + cast(
        cast({{ amount }} - trunc({{ amount }}) as decimal(16, 15)) * {{ rate }} as decimal(38, 20)
    )
{%- endmacro %}
