with

runs as (

    select * from {{ ref('stg_runs__runs') }}

),

final as (

    select
        -- ids and times of the grain
        day,
        source,
        system,
        run_id,
        cluster,
        namespace,
        resource,
        resource_id,

        -- strings
        experiment,
        name,
        owner,
        team,
        status,
        lifecycle,

        -- maps
        metrics,
        metrics_not_finite,
        params,
        tags,

        -- times
        time as active_from,
        coalesce(ended_at, cast({{ dbt.dateadd('day', 1, 'day') }} as {{ instant_type() }}))
            as active_to,
        started_at,
        ended_at

    from runs

)

select * from final
