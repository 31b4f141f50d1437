with

published as (

    select * from {{ published(source('published', 'fct_runs')) }}

),

final as (

    select
        day,
        source,
        system,
        run_id,
        cluster,
        namespace,
        resource,
        resource_id,
        experiment,
        name,
        owner,
        team,
        status,
        active_from,
        active_to
    from published
    where {{ within(day_window()) }}

)

select * from final
