with

published as (

    select * from {{ published(source('published', 'fct_model_metrics_daily')) }}

),

final as (

    select
        day,
        model,
        model_version,
        predictions,
        latency_ms_p95,
        energy_wh,
        input_tokens,
        output_tokens
    from published
    where {{ within(day_window()) }}

)

select * from final
