with

published as (

    select * from {{ published(source('published', 'fct_model_versions')) }}

),

final as (

    select
        day,
        registry,
        model,
        version,
        run_id
    from published
    where run_id is not null

)

select * from final
