with

predictions as (

    select * from {{ ref('fct_model_predictions') }}
    where {{ within(day_window()) }}

),

metrics as (

    select
        day,
        model,
        model_version,
        count(*) as predictions,
        {{ steady_mean('prediction') }} as prediction_mean,
        {{ steady_mean('probability') }} as probability_mean,
        {{ quantile('latency_ms', 0.95) }} as latency_ms_p95,
        {{ steady_sum('energy_wh') }} as energy_wh,
        cast(sum(input_tokens) as {{ dbt.type_bigint() }}) as input_tokens,
        cast(sum(output_tokens) as {{ dbt.type_bigint() }}) as output_tokens
    from predictions
    group by day, model, model_version

)

select * from metrics
