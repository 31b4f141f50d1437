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
        groups,
        prediction,
        probability,
        latency_ms,
        energy_wh
    from predictions

)

select * from final
