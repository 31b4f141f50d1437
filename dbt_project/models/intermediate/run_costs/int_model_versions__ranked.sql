with

versions as (

    select distinct
        registry,
        model,
        version,
        run_id
    from {{ ref('stg_published__model_versions') }}

),

-- a run that made several versions is each of theirs to an even part
ranked as (

    select
        *,
        cast(1.0 / count(*) over (partition by registry, run_id) as decimal(10, 9)) as share,
        row_number() over (partition by registry, run_id order by model, version)
            as largest_first
    from versions

)

select * from ranked
