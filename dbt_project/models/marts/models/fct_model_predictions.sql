with

predictions as (

    select * from {{ ref('stg_models__predictions') }}

),

final as (

    select
        day,
        time,
        model,
        model_version,
        prediction_id,
        features,
        categories,
        groups,
        prediction,
        probability,
        latency_ms,
        energy_wh,
        input_tokens,
        output_tokens
    from predictions

)

select * from final
