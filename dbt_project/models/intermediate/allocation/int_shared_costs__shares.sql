{%- set pool_rows, fixed_rows = [], [] -%}
{%- for pool in var('allocation').shared -%}
    {%- do pool_rows.append([loop.index, pool.name, pool.split, pool.by]) -%}
    {%- for team, part in pool.shares.items() -%}
        {%- do fixed_rows.append([pool.name, team, part]) -%}
    {%- endfor -%}
{%- endfor -%}
{%- set payers = var('allocation').shared | map(attribute='among') | list -%}
{%- set string = dbt.type_string() -%}

with

costs as (

    select * from {{ ref('int_costs__owned') }}

),

drivers as (

    select * from {{ ref('int_shared_costs__drivers') }}

),

pool_rules as (

    {{ inline_rows(
        {'number': 'integer', 'pool': string, 'split': string, 'driver': string}, pool_rows
    ) | indent(4) }}

),

fixed_shares as (

    {{ inline_rows(
        {'pool': string, 'team': string, 'share': 'decimal(10, 9)'}, fixed_rows
    ) | indent(4) }}

),

pools as (

    select distinct
        pool,
        billing_period,
        billing_currency
    from costs
    where pool is not null

),

-- costs drive what is in their own currency; a team that has costs at all pays an even part
driven as (

    select
        pools.pool,
        pools.billing_period,
        pools.billing_currency,
        drivers.team,
        case max(pool_rules.split)
            when 'even' then max(case when drivers.billing_currency is not null then 1 else 0 end)
            else sum(
                case pool_rules.driver
                    when 'effective_cost' then drivers.effective_cost
                    when 'billed_cost' then drivers.billed_cost
                    when 'list_cost' then drivers.list_cost
                    when 'cpu_core_hours' then drivers.cpu_core_hours
                    when 'memory_gib_hours' then drivers.memory_gib_hours
                    when 'gpu_hours' then drivers.gpu_hours
                end
            )
        end as weight
    from pools
    inner join pool_rules on pools.pool = pool_rules.pool and pool_rules.split != 'fixed'
    inner join drivers
        on
            pools.billing_period = drivers.billing_period
            and (
                pool_rules.split = 'even'
                or drivers.billing_currency is null
                or pools.billing_currency = drivers.billing_currency
            )
    where {{ is_of(payers, 'pool_rules.number', 'drivers') }}
    group by pools.pool, pools.billing_period, pools.billing_currency, drivers.team

),

parts as (

    select
        pool,
        billing_period,
        billing_currency,
        team,
        cast(weight as decimal(28, 10)) as weight,
        cast(null as decimal(10, 9)) as fixed_share
    from driven
    union all
    select
        pools.pool,
        pools.billing_period,
        pools.billing_currency,
        fixed_shares.team,
        cast(fixed_shares.share as decimal(28, 10)) as weight,
        fixed_shares.share as fixed_share
    from pools
    inner join fixed_shares on pools.pool = fixed_shares.pool

),

weighed as (

    select
        *,
        sum(weight) over (partition by pool, billing_period, billing_currency) as whole_weight
    from parts
    where weight > 0

),

-- a fixed split may leave a part where it is
shares as (

    select
        pool,
        billing_period,
        billing_currency,
        team,
        coalesce(
            fixed_share,
            cast(cast(weight as double) / cast(whole_weight as double) as decimal(10, 9))
        ) as share,
        case
            when fixed_share is null then cast(1 as decimal(10, 9))
            else cast(whole_weight as decimal(10, 9))
        end as given_share,
        row_number() over (
            partition by pool, billing_period, billing_currency
            order by weight desc, team asc
        ) as largest_first
    from weighed

)

select * from shares
