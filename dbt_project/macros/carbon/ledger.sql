{#- Carbon beside costs: what is told of each charge, and whose measurement is in it. -#}

{#- Energy and emissions of a charge, each to the last digit: from `int_costs__emitted` on they are
    allocated, split and shared as costs are. -#}
{% macro carbon_metrics() %}
    {{- return(['energy_kwh', 'location_gco2e', 'market_gco2e', 'embodied_gco2e']) -}}
{% endmacro %}

{#- All that is allocated. -#}
{% macro ledger_metrics() %}
    {{- return(cost_metrics() + carbon_metrics()) -}}
{% endmacro %}

{#- Columns of a daily cost as published. -#}
{% macro daily_cost_columns() %}
    {{- return(
        (cost_columns() | reject('equalto', 'cost_part') | list)
        + tagged_dimensions() + ['tag_set_id']
        + cost_metrics() + ['consumed_quantity', 'charge_count']
    ) -}}
{% endmacro %}

{#- Whether a charge of a workload's name is of the workload: one that names no cluster is of the
    only cluster that has it. -#}
{% macro is_of_workload(charge, workload) -%}
    (
        {{ charge }}.cluster = {{ workload }}.cluster
        or ({{ charge }}.cluster is null and {{ workload }}.clusters_of_name = 1)
    )
{%- endmacro %}

{#- Whether a charge is for what telemetry measures of a workload: neither disks nor traffic. -#}
{% macro draws_what_is_measured(charge) -%}
    {{ charge }}.charge_category = 'Usage'
    and coalesce({{ charge }}.kind, '') not in ('storage', 'network')
{%- endmacro %}

{#- Values of carbon_coefficients as columns of their names; of each there is one in a group. -#}
{% macro coefficients_as_columns(names) %}
    {%- set columns = [] -%}
    {%- for name in names -%}
        {%- do columns.append(
            "max(case when coefficient = '" ~ name ~ "' then value end) as " ~ name
        ) -%}
    {%- endfor -%}
    {{- return(columns | join(',\n        ')) -}}
{% endmacro %}
