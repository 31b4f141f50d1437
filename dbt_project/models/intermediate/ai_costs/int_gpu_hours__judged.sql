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
judged as (

    select
        day,
        resource,
        charged_by,
        charged_to,
        gpus * (ends - starts) as gpu_seconds,
        gpu_utilisation_percent < {{ var('idle_below_percent') }} as is_idle,
        exists (
            select 1
            from runs
            where
                measured.day = runs.day
                and measured.charged_by = runs.charged_by
                and measured.charged_to = runs.charged_to
                and measured.ends > runs.starts
                and measured.starts < runs.ends
        ) as is_of_runs
    from measured

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
