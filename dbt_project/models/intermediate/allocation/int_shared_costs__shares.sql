{%- set measured = ['cpu_core_hours', 'memory_gib_hours', 'gpu_hours'] -%}

with

drivers as (

    select * from {{ ref('int_shared_costs__drivers') }}

),

costs as (

    select * from {{ ref('int_costs__owned') }}

),

pools as (

    select distinct
        pool,
        billing_period,
        billing_currency
    from costs
    where pool is not null

),

weights as (

    {% for pool in var('allocation').shared -%}
    {%- if pool.split == 'fixed' -%}
    {%- for team, part in pool.shares.items() %}
    select
        {{ string_literal(pool.name) }} as pool,
        billing_period,
        billing_currency,
        {{ string_literal(team) }} as team,
        cast({{ part }} as decimal(28, 10)) as weight,
        cast({{ part }} as decimal(10, 9)) as fixed_share
    from pools
    where pool = {{ string_literal(pool.name) }}
    union all
    {%- endfor %}
    {%- else %}
    {%- set in_currency = pool.split == 'proportional' and pool.by not in measured %}
    select
        pools.pool,
        pools.billing_period,
        pools.billing_currency,
        drivers.team,
        {% if pool.split == 'even' -%}
        cast(1 as decimal(28, 10)) as weight,
        {%- else -%}
        {%- set driver = steady_sum('drivers.' ~ pool.by) if pool.by in measured
            else 'sum(drivers.' ~ pool.by ~ ')' %}
        cast({{ driver }} as decimal(28, 10)) as weight,
        {%- endif %}
        cast(null as decimal(10, 9)) as fixed_share
    from pools
    inner join drivers
        on
            pools.billing_period = drivers.billing_period
            {%- if in_currency %}
            and pools.billing_currency = drivers.billing_currency
            {%- endif %}
    where
        pools.pool = {{ string_literal(pool.name) }}
        {%- for dimension, texts in pool.among.items() %}
        and {{ is_any_of('drivers.' ~ dimension, texts) }}
        {%- endfor %}
        {%- if pool.split == 'even' %}
        and drivers.billing_currency is not null
        {%- endif %}
    group by pools.pool, pools.billing_period, pools.billing_currency, drivers.team
    union all
    {%- endif -%}
    {%- endfor %}
    {{ nothing({
        'pool': dbt.type_string(),
        'billing_period': 'date',
        'billing_currency': dbt.type_string(),
        'team': dbt.type_string(),
        'weight': 'decimal(28, 10)',
        'fixed_share': 'decimal(10, 9)',
    })[1:-1] }}

),

weighed as (

    select
        pool,
        billing_period,
        billing_currency,
        team,
        weight,
        coalesce(
            fixed_share,
            cast(
                cast(weight as double)
                / cast(sum(weight) over (
                    partition by pool, billing_period, billing_currency
                ) as double)
                as decimal(10, 9)
            )
        ) as share,
        -- a fixed split may leave a part where it is
        case
            when fixed_share is null then cast(1 as decimal(10, 9))
            else sum(fixed_share) over (partition by pool, billing_period, billing_currency)
        end as given_share,
        row_number() over (
            partition by pool, billing_period, billing_currency order by weight desc, team
        ) as largest_first
    from weights
    where weight > 0

)

select * from weighed
