{%- set string = dbt.type_string() -%}
{%- set money = 'cast(null as decimal(38, 20))' -%}

with

parted as (

    select * from {{ ref('int_token_costs__parted') }}

),

usage as (

    select * from {{ ref('int_token_usage__summed') }}

),

charges as (

    select * from {{ ref('int_ai_charges__scoped') }}
    where scope = 'tokens' and model_number is null

),

billed as (

    select distinct
        day,
        provider,
        model,
        token_type
    from parted
    where basis = 'tokens'

),

unbilled as (

    select
        usage.day,
        usage.provider,
        usage.model,
        usage.token_type,
        usage.resource,
        usage.service,
        usage.team,
        usage.namespace,
        usage.workload,
        usage.tokens,
        case
            when usage.model_number is null then 'model_not_told' else 'nothing_billed'
        end as basis
    from usage
    left join billed
        on
            usage.day = billed.day
            and usage.provider = billed.provider
            and usage.model = billed.model
            and usage.token_type = billed.token_type
    where billed.day is null

),

-- tokens by their unit, of a model that nobody told
untold as (

    select
        day,
        service_name,
        sku_meter,
        team,
        billing_currency,
        case when count(billed_tokens) = count(*) then sum(billed_tokens) end as tokens,
        {{ money_sum('billed_cost', ['billing_currency']) }} as billed_cost,
        {{ money_sum('effective_cost', ['billing_currency']) }} as effective_cost
    from charges
    group by day, service_name, sku_meter, team, billing_currency

),

unioned as (

    select
        day,
        provider,
        model,
        token_type,
        resource,
        service,
        team,
        namespace,
        workload,
        cast(null as {{ string }}) as service_name,
        cast(null as {{ string }}) as sku_meter,
        billing_currency,
        basis,
        tokens,
        share,
        billed_cost,
        effective_cost,
        idle_billed_cost,
        idle_effective_cost
    from parted
    union all
    select
        day,
        provider,
        model,
        token_type,
        resource,
        service,
        team,
        namespace,
        workload,
        cast(null as {{ string }}) as service_name,
        cast(null as {{ string }}) as sku_meter,
        cast(null as {{ string }}) as billing_currency,
        basis,
        tokens,
        null as share,
        {{ money }} as billed_cost,
        {{ money }} as effective_cost,
        {{ money }} as idle_billed_cost,
        {{ money }} as idle_effective_cost
    from unbilled
    union all
    select
        day,
        cast(null as {{ string }}) as provider,
        cast(null as {{ string }}) as model,
        cast(null as {{ string }}) as token_type,
        cast(null as {{ string }}) as resource,
        cast(null as {{ string }}) as service,
        team,
        cast(null as {{ string }}) as namespace,
        cast(null as {{ string }}) as workload,
        service_name,
        sku_meter,
        billing_currency,
        'meter_not_told' as basis,
        tokens,
        null as share,
        billed_cost,
        effective_cost,
        cast(0 as decimal(38, 20)) as idle_billed_cost,
        cast(0 as decimal(38, 20)) as idle_effective_cost
    from untold

),

final as (

    select
        -- ids and times of the grain
        day,
        provider,
        model,
        token_type,
        resource,
        service,
        team,
        namespace,
        workload,
        service_name,
        sku_meter,
        billing_currency,

        -- strings
        basis,

        -- numbers
        cast(tokens as {{ dbt.type_bigint() }}) as tokens,
        cast(share as double) as share,
        billed_cost,
        effective_cost,
        idle_billed_cost,
        idle_effective_cost,
        case
            when tokens > 0 then {{ scaled('effective_cost', '1000000', 'tokens') }}
        end as effective_cost_per_million_tokens

    from unioned
    where {{ within(day_window()) }}

)

select * from final
