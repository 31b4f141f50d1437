{%- set costs = ['billed_cost', 'effective_cost', 'idle_billed_cost', 'idle_effective_cost'] -%}
{%- set whole = ['day', 'pool', 'billing_currency'] -%}
{%- set zero = 'cast(0 as decimal(38, 20))' -%}

with

charges as (

    select
        *,
        cast(model_number as {{ dbt.type_string() }}) || '/' || token_type as pool
    from {{ ref('int_ai_charges__scoped') }}
    where scope = 'tokens' and model_number is not null

),

workloads as (

    select * from {{ ref('int_workload_costs__left') }}

),

serving as (

    select
        resource,
        case when count(*) = 1 then max(provider) end as provider,
        case when count(*) = 1 then max(model) end as model
    from {{ ref('int_workloads__serving') }}
    where serves = 'tokens'
    group by resource

),

told as (

    {{ language_model_rows() | indent(4) }}

),

usage as (

    select
        *,
        coalesce(
            resource, cast(model_number as {{ dbt.type_string() }}) || '/' || token_type
        ) as pool
    from {{ ref('int_token_usage__summed') }}
    where model_number is not null

),

-- what is billed of one type of a model's tokens, or the workload that makes them
metered as (

    select
        {{ whole | join(',\n        ') }},
        max(model_number) as model_number,
        max(token_type) as token_type,
        case when min(team) = max(team) and count(team) = count(*) then max(team) end as team,
        case when count(billed_tokens) = count(*) then sum(billed_tokens) end as billed_tokens,
        {{ money_sum('billed_cost', whole) }} as billed_cost,
        {{ money_sum('effective_cost', whole) }} as effective_cost
    from charges
    group by {{ whole | join(', ') }}

),

pools as (

    select
        metered.day,
        metered.pool,
        metered.billing_currency,
        told.provider,
        told.model,
        metered.token_type,
        cast(null as {{ dbt.type_string() }}) as resource,
        metered.team,
        case
            when count(*) over of_pool = count(metered.billed_tokens) over of_pool
                then sum(metered.billed_tokens) over of_pool
        end as billed_tokens,
        metered.billed_cost,
        metered.effective_cost,
        {{ zero }} as idle_billed_cost,
        {{ zero }} as idle_effective_cost
    from metered
    inner join told
        on metered.model_number = told.number
    window of_pool as (partition by metered.day, metered.pool)
    union all
    select
        workloads.day,
        workloads.resource as pool,
        workloads.billing_currency,
        serving.provider,
        serving.model,
        cast(null as {{ dbt.type_string() }}) as token_type,
        workloads.resource,
        workloads.team,
        cast(null as decimal(38, 20)) as billed_tokens,
        {{ costs | join(',\n        ') }}
    from workloads
    inner join serving
        on workloads.resource = serving.resource

),

used as (

    select
        day,
        pool,
        sum(tokens) as tokens
    from usage
    group by day, pool

),

-- who asked, and what is billed beyond what anybody says that it asked
askers as (

    select
        day,
        pool,
        provider,
        model,
        token_type,
        service,
        team,
        namespace,
        workload,
        tokens,
        tokens as weight,
        'tokens' as basis
    from usage
    union all
    select distinct
        pools.day,
        pools.pool,
        pools.provider,
        pools.model,
        pools.token_type,
        cast(null as {{ dbt.type_string() }}) as service,
        pools.team,
        cast(null as {{ dbt.type_string() }}) as namespace,
        cast(null as {{ dbt.type_string() }}) as workload,
        pools.billed_tokens - coalesce(used.tokens, 0) as tokens,
        case when used.tokens is null then 1 else pools.billed_tokens - used.tokens end as weight,
        'no_usage' as basis
    from pools
    left join used
        on
            pools.day = used.day
            and pools.pool = used.pool
    where used.tokens is null or pools.billed_tokens > used.tokens

),

weighed as (

    select
        pools.day,
        pools.pool,
        pools.billing_currency,
        askers.provider,
        askers.model,
        askers.token_type,
        pools.resource,
        askers.service,
        askers.team,
        askers.namespace,
        askers.workload,
        askers.basis,
        cast(askers.tokens as {{ dbt.type_bigint() }}) as tokens,
        {% for cost in costs -%}
        pools.{{ cost }} as whole_{{ cost }},
        {% endfor -%}
        cast(
            cast(askers.weight as double) / cast(sum(askers.weight) over of_whole as double)
            as decimal(10, 9)
        ) as share,
        row_number() over (
            partition by pools.day, pools.pool, pools.billing_currency
            order by
                askers.weight desc, askers.model asc, askers.token_type asc,
                askers.service asc, askers.team asc, askers.namespace asc,
                askers.workload asc, askers.basis asc
        ) as largest_first
    from pools
    inner join askers
        on
            pools.day = askers.day
            and pools.pool = askers.pool
    window of_whole as (partition by pools.day, pools.pool, pools.billing_currency)

),

final as (

    select
        {{ whole | join(',\n        ') }},
        provider,
        model,
        token_type,
        resource,
        service,
        team,
        namespace,
        workload,
        basis,
        tokens,
        share,
        {% for cost in costs -%}
        {{ received_part('whole_' ~ cost, whole) }} as {{ cost }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from weighed

)

select * from final
