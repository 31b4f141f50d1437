with

runs as (

    select
        *,
        case
            when resource_id is not null then 'resource_id'
            when resource is not null then 'resource'
            when namespace is not null then 'namespace'
        end as charged_by,
        coalesce(resource_id, resource, namespace) as charged_to
    from {{ ref('stg_published__runs') }}

),

-- what different sources say of one run is put together
described as (

    select
        day,
        system,
        run_id,
        max(experiment) as experiment,
        max(name) as name,
        max(owner) as owner,
        max(team) as team,
        max(status) as status,
        count(charged_to) as places
    from runs
    group by day, system, run_id

),

placed as (

    select
        day,
        system,
        run_id,
        charged_by,
        charged_to,
        min(active_from) as active_from,
        max(active_to) as active_to
    from runs
    group by day, system, run_id, charged_by, charged_to

),

-- that one source does not know where a run ran is nothing beside one that does
final as (

    select
        placed.day,
        placed.system,
        placed.run_id,
        described.experiment,
        described.name,
        described.owner,
        described.team,
        described.status,
        placed.charged_by,
        placed.charged_to,
        placed.active_from,
        placed.active_to
    from placed
    inner join described
        on
            placed.day = described.day
            and placed.system = described.system
            and placed.run_id = described.run_id
    where placed.charged_to is not null or described.places = 0

)

select * from final
