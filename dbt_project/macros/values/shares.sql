{#- Money parted by shares, and instants as numbers to part time by. -#}

{#- A share of an amount, both decimal: the amount to its tenth place times the share to its ninth,
    since a decimal has 38 places. What is lost by this is the remainder, which whoever parts an
    amount gives to somebody. -#}
{% macro money_share(amount, share) -%}
    cast(
        cast({{ amount }} as decimal(28, 10)) * cast({{ share }} as decimal(10, 9))
        as decimal(38, 20)
    )
{%- endmacro %}

{#- The same where the share may be all of it, to the last digit. -#}
{% macro money_part(amount, share) %}
    {%- set part = money_share(amount, share) | replace('\n', ' ') -%}
    {{- return('case when ' ~ share ~ ' = 1 then ' ~ amount ~ ' else ' ~ part ~ ' end') -}}
{% endmacro %}

{#- What one of those who part an amount receives, each by a column `share` of it: the largest, by
    `largest_first`, takes what the division leaves. `group`: the columns that an amount is of. -#}
{% macro received_part(amount, group) %}
    {%- set part = money_share(amount, 'share') | replace('\n', ' ') -%}
    {{- return(
        'case when largest_first > 1 then ' ~ part ~ ' else ' ~ amount
        ~ ' - coalesce(sum(case when largest_first > 1 then ' ~ part
        ~ ' end) over (partition by ' ~ group | join(', ') ~ '), 0) end'
    ) -}}
{% endmacro %}

{#- Seconds since 1970, to the millisecond. -#}
{% macro epoch_seconds(instant) %}
    {{- return(adapter.dispatch('epoch_seconds', 'finops')(instant)) -}}
{% endmacro %}

{% macro default__epoch_seconds(instant) -%}
    cast(unix_millis({{ instant }}) as decimal(18, 3)) / 1000
{%- endmacro %}

{% macro duckdb__epoch_seconds(instant) -%}
    cast(cast(epoch_ms({{ instant }}) as decimal(18, 3)) * 0.001 as decimal(18, 3))
{%- endmacro %}


{#- An amount that goes with a quantity, at another quantity: to its tenth place. Of a division
    alone the ratio is not exact, so the product is rounded once. -#}
{% macro scaled(amount, to, whole) -%}
    cast(
        cast({{ amount }} as double) * (cast({{ to }} as double) / cast({{ whole }} as double))
        as decimal(28, 10)
    )
{%- endmacro %}
