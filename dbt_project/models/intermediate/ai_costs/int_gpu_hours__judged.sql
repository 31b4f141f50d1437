with

measured as (

    select * from {{ ref('int_measurements__claimed') }}
    where gpus > 0

),

runs as (

    select
        day,
        charged_by,
        charged_to,
        {{ epoch_seconds('active_from') }} as starts,
        {{ epoch_seconds('active_to') }} as ends
    from {{ ref('int_runs__placed') }}
    where charged_to is not null

),

-- an interval in which a run was active at any time is the runs'
of_runs as (

    select distinct
        measured.day,
        measured.resource,
        measured.starts
    from measured
    inner join runs
        on
            measured.day = runs.day
            and measured.charged_by = runs.charged_by
            and measured.charged_to = runs.charged_to
            and measured.ends > runs.starts
            and measured.starts < runs.ends

),

judged as (

    select
        measured.day,
        measured.resource,
        measured.charged_by,
        measured.gpus * (measured.ends - measured.starts) as gpu_seconds,
        measured.gpu_utilisation_percent < {{ var('idle_below_percent') }} as is_idle,
        of_runs.starts is not null as is_of_runs
    from measured
    left join of_runs
        on
            measured.day = of_runs.day
            and measured.resource = of_runs.resource
            and measured.starts = of_runs.starts

),

summed as (

    select
        day,
        resource,
        max(charged_by) as charged_by,
        sum(gpu_seconds) as gpu_seconds,
        sum(case when is_idle then gpu_seconds else 0 end) as idle_gpu_seconds,
        sum(case when is_idle and is_of_runs then gpu_seconds else 0 end)
            as idle_in_runs_gpu_seconds
    from judged
    group by day, resource

)

select * from summed
