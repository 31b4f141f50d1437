{%- set group = [
    'source', 'billing_period', 'charge_date', 'provider_name', 'billing_account_id',
    'sub_account_id', 'sub_account_name', 'service_category', 'service_name', 'charge_category',
    'charge_class', 'billing_currency', 'environment', 'pool',
] -%}

with

costs as (

    select * from {{ ref('int_costs__owned') }}

),

shares as (

    select * from {{ ref('int_shared_costs__shares') }}

),

teams as (

    select * from {{ ref('int_teams__spelled') }}

),

split as (

    select distinct
        pool,
        billing_period,
        billing_currency,
        given_share
    from shares

),

-- what is given is negated where it came from
given as (

    select
        {%- for column in cost_columns() + dimensions() %}
        costs.{{ column }},
        {%- endfor %}
        costs.rule,
        costs.pool,
        {% for metric in ledger_metrics() -%}
        -{{ money_part('costs.' ~ metric, 'split.given_share') }} as {{ metric }}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from costs
    inner join split
        on
            costs.pool = split.pool
            and costs.billing_period = split.billing_period
            and costs.billing_currency = split.billing_currency

),

summed as (

    select
        {{ group | join(',\n        ') }},
        {%- for metric in ledger_metrics() %}
        -{{ money_sum(metric, group) }} as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from given
    group by {{ group | join(', ') }}

),

parted as (

    select
        {% for column in group -%}
        summed.{{ column }},
        {% endfor -%}
        {% for metric in ledger_metrics() -%}
        summed.{{ metric }},
        {% endfor -%}
        shares.team,
        shares.share / shares.given_share as share,
        shares.largest_first
    from summed
    inner join shares
        on
            summed.pool = shares.pool
            and summed.billing_period = shares.billing_period
            and summed.billing_currency = shares.billing_currency

),

received as (

    select
        {{ group | join(',\n        ') }},
        team,
        {%- for metric in ledger_metrics() %}
        {{ received_part(metric, group) }} as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from parted

),

final as (

    select
        {{ (cost_columns() + dimensions() + ledger_metrics()) | join(',\n        ') }},
        rule,
        pool,
        'given' as line
    from given
    union all
    select
        {%- for column in cost_columns() %}
        {% if column in group -%}
        received.{{ column }},
        {%- else -%}
        cast(null as {{ dbt.type_string() }}) as {{ column }},
        {%- endif -%}
        {%- endfor %}
        teams.business_unit,
        coalesce(teams.team, received.team) as team,
        teams.product,
        received.environment,
        teams.cost_center,
        {%- for metric in ledger_metrics() %}
        received.{{ metric }},
        {%- endfor %}
        received.pool as rule,
        received.pool,
        'received' as line
    from received
    left join teams
        on
            lower(received.team) = teams.spelled
            and received.charge_date between teams.valid_from and teams.valid_until

)

select * from final
