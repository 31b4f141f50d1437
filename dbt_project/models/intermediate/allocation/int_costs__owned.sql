{{ config(materialized='table') }}

{%- set carried = cost_columns() + ledger_metrics() + [
    'consumed_quantity', 'charge_count', 'line', 'is_split',
] -%}

with

costs as (

    select * from {{ ref('int_costs__ruled') }}

),

teams as (

    select * from {{ ref('int_teams__spelled') }}

),

-- a rule or a tag says more of one cost than what is known of its team
owned as (

    select
        {% for column in carried -%}
        costs.{{ column }},
        {% endfor -%}
        {% for key in asked_tags() -%}
        costs.{{ asked_column('tags.' ~ key) }},
        {% endfor -%}
        coalesce(costs.business_unit, teams.business_unit) as business_unit,
        coalesce(teams.team, costs.team) as team,
        coalesce(costs.product, teams.product) as product,
        costs.environment,
        coalesce(costs.cost_center, teams.cost_center) as cost_center,
        costs.rule
    from costs
    left join teams
        on
            lower(costs.team) = teams.spelled
            and costs.charge_date between teams.valid_from and teams.valid_until

),

-- a cost is of the first pool that it fits; what a cluster's is split into may be, it itself is not
pooled as (

    select
        {{ (carried + dimensions()) | join(',\n        ') }},
        rule,
        case when not coalesce(is_split, false) then {{ first_pool() }} end as pool
    from owned

)

select * from pooled
