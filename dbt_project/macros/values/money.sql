{#- The one way to sum money. In the grain of a group by that holds the currency it is a sum; else
    it is one only while all amounts are in one currency, and an error otherwise: amounts of
    different currencies have no sum. A model converts first.
    `by`: the columns grouped by; `currency`: the column that says what currency `amount` is in. -#}
{% macro money_sum(amount, by=[], currency='billing_currency') %}
    {%- if currency in by -%} {{- return('sum(' ~ amount ~ ')') -}} {%- endif -%}
    {{- return(adapter.dispatch('one_currency_sum', 'finops')(amount, currency)) -}}
{% endmacro %}

{% macro default__one_currency_sum(amount, currency) -%}
    case
        when count(distinct case when {{ amount }} is not null then {{ currency }} end) > 1
            then raise_error('a sum over several currencies: convert first')
        else sum({{ amount }})
    end
{%- endmacro %}

{% macro duckdb__one_currency_sum(amount, currency) -%}
    case
        when count(distinct case when {{ amount }} is not null then {{ currency }} end) > 1
            then error('a sum over several currencies: convert first')
        else sum({{ amount }})
    end
{%- endmacro %}
