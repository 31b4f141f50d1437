{%- set used = [
    'min_watts_per_vcpu', 'max_watts_per_vcpu', 'memory_kwh_per_gb_hour',
    'power_usage_effectiveness',
] -%}
{#- Column of the result -> coefficient and end. -#}
{%- set columns = {} -%}
{%- for coefficient in used -%}
    {%- do columns.update({
        coefficient: (coefficient, 'value'),
        'low_' ~ coefficient: (coefficient, 'low'),
        'high_' ~ coefficient: (coefficient, 'high'),
    }) -%}
{%- endfor -%}
with

coefficients as (

    select * from {{ ref('carbon_coefficients') }}
    where coefficient in ({{ string_literals(used) }})

),

by_provider as (

    select
        provider,
        {% for name, (coefficient, end) in columns.items() %}
        max(case when coefficient = '{{ coefficient }}' then {{ end }} end) as {{ name }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from coefficients
    group by provider

),

-- the middle is the mean of the known, the ends are the widest of them
of_unknown_provider as (

    select
        'unknown' as provider,
        {% for name, (_, end) in columns.items() %}
        {{ {'value': 'avg', 'low': 'min', 'high': 'max'}[end] }}({{ name }}) as {{ name }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from by_provider

),

every_provider as (

    select * from by_provider
    union all
    select * from of_unknown_provider

)

select * from every_provider
