with

labels as (

    select * from {{ ref('stg_models__labels') }}

),

final as (

    select
        day,
        time,
        model,
        prediction_id,
        label
    from labels

)

select * from final
