{#- One row per billing period and set of attributes that charges name, with the days of the
    charges that do: what was renamed or moved is there twice, each with its own days. -#}
{% macro billed_dimension(key, attributes) %}
with

charges as (

    select
        source,
        billing_period,
        provider_name,
        {{ ([key] + attributes) | join(',\n        ') }},
        cast(charge_period_start as date) as charge_date
    from {{ ref('stg_focus__charges') }}
    where {{ key }} is not null

),

named as (

    select
        source,
        billing_period,
        provider_name,
        {{ ([key] + attributes) | join(',\n        ') }},
        min(charge_date) as first_charged_on,
        max(charge_date) as last_charged_on,
        count(*) as charge_count
    from charges
    group by
        source,
        billing_period,
        provider_name,
        {{ ([key] + attributes) | join(',\n        ') }}

)

select * from named
{% endmacro %}
