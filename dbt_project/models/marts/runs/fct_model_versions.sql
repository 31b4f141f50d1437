with

versions as (

    select * from {{ ref('stg_runs__model_versions') }}

),

final as (

    select
        day,
        time,
        source,
        registry,
        model,
        version,
        run_id,
        owner,
        status,
        stage,
        aliases,
        created_at
    from versions

)

select * from final
