with

answers as (

    select * from {{ ref('stg_published__model_metrics') }}

),

parted as (

    select * from {{ ref('int_serving_costs__parted') }}

),

serving as (

    select * from {{ ref('int_workloads__serving') }}
    where serves = 'predictions'

),

served as (

    select
        answers.day,
        answers.model,
        answers.model_version,
        coalesce(parted.resource, serving.resource) as resource,
        parted.billing_currency,
        parted.team,
        case
            when serving.resource is null then 'workload_not_told'
            when parted.billing_currency is null then 'nothing_billed'
            else 'predictions'
        end as basis,
        answers.predictions,
        answers.latency_ms_p95,
        answers.energy_wh,
        answers.input_tokens + answers.output_tokens as tokens,
        parted.share,
        parted.billed_cost,
        parted.effective_cost,
        parted.idle_billed_cost,
        parted.idle_effective_cost
    from answers
    left join serving
        on answers.model = serving.model
    left join parted
        on
            answers.day = parted.day
            and answers.model = parted.model
            and answers.model_version = parted.model_version
            and serving.resource = parted.resource

),

waiting as (

    select
        day,
        model,
        model_version,
        resource,
        billing_currency,
        team,
        'no_predictions' as basis,
        cast(0 as {{ dbt.type_bigint() }}) as predictions,
        cast(null as double) as latency_ms_p95,
        cast(null as double) as energy_wh,
        cast(null as {{ dbt.type_bigint() }}) as tokens,
        share,
        billed_cost,
        effective_cost,
        idle_billed_cost,
        idle_effective_cost
    from parted
    where model_version is null

),

unioned as (

    select * from served
    union all
    select * from waiting

),

final as (

    select
        -- ids and times of the grain
        day,
        model,
        model_version,
        resource,
        billing_currency,

        -- strings
        team,
        basis,

        -- numbers
        predictions,
        cast(tokens as {{ dbt.type_bigint() }}) as tokens,
        latency_ms_p95,
        energy_wh,
        cast(share as double) as share,
        billed_cost,
        effective_cost,
        idle_billed_cost,
        idle_effective_cost,
        case
            when predictions > 0 then {{ scaled('effective_cost', '1000', 'predictions') }}
        end as effective_cost_per_thousand_predictions,
        case
            when tokens > 0 then {{ scaled('effective_cost', '1000000', 'tokens') }}
        end as effective_cost_per_million_tokens

    from unioned
    where {{ within(day_window()) }}

)

select * from final
