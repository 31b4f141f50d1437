{%- set rows = [] -%}
{%- for team in var('allocation').teams -%}
    {%- for spelled in ([team.name] + team.aliases) | map('lower') | unique -%}
        {%- do rows.append([
            spelled, team.name, team.business_unit, team.product, team.cost_center, team.from,
            team.until,
        ]) -%}
    {%- endfor -%}
{%- endfor -%}

with

teams as (

    {{ inline_rows({
        'spelled': dbt.type_string(),
        'team': dbt.type_string(),
        'business_unit': dbt.type_string(),
        'product': dbt.type_string(),
        'cost_center': dbt.type_string(),
        'valid_from': 'date',
        'valid_until': 'date',
    }, rows) | indent(4) }}

)

select * from teams
