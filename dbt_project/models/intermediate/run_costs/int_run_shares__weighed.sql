with

runs as (

    select
        day,
        system,
        run_id,
        charged_by,
        charged_to,
        {{ epoch_seconds('active_from') }} as starts,
        {{ epoch_seconds('active_to') }} as ends
    from {{ ref('int_runs__placed') }}
    where charged_to is not null

),

places as (

    select * from {{ ref('int_places__named') }}

),

measured as (

    select * from {{ ref('int_measurements__claimed') }}
    where charged_to is not null

),

-- GPUs cost most where there are any; else what is reserved or used, whichever is more
based as (

    select
        day,
        charged_by,
        charged_to,
        case
            when sum(gpus) > 0 then 'gpu_seconds'
            when sum(cores) > 0 then 'core_seconds'
            else 'time'
        end as basis
    from measured
    group by day, charged_by, charged_to

),

bases as (

    select
        places.day,
        places.charged_by,
        places.charged_to,
        coalesce(based.basis, 'time') as basis
    from places
    left join based
        on
            places.day = based.day
            and places.charged_by = based.charged_by
            and places.charged_to = based.charged_to

),

rates as (

    select
        measured.day,
        measured.charged_by,
        measured.charged_to,
        measured.starts,
        measured.ends,
        cast(
            case bases.basis
                when 'gpu_seconds' then measured.gpus
                when 'core_seconds' then measured.cores
            end as decimal(18, 6)
        ) as rate
    from measured
    inner join bases
        on
            measured.day = bases.day
            and measured.charged_by = bases.charged_by
            and measured.charged_to = bases.charged_to

),

-- where something begins or ends: runs, and rates of use
steps as (

    select
        day,
        charged_by,
        charged_to,
        starts as at_seconds,
        1 as runs,
        0 as rate
    from runs
    union all
    select
        day,
        charged_by,
        charged_to,
        ends as at_seconds,
        -1 as runs,
        0 as rate
    from runs
    union all
    select
        day,
        charged_by,
        charged_to,
        starts as at_seconds,
        0 as runs,
        rate
    from rates
    where rate is not null
    union all
    select
        day,
        charged_by,
        charged_to,
        ends as at_seconds,
        0 as runs,
        -rate as rate
    from rates
    where rate is not null

),

moments as (

    select
        day,
        charged_by,
        charged_to,
        at_seconds,
        sum(runs) as runs,
        sum(rate) as rate
    from steps
    group by day, charged_by, charged_to, at_seconds

),

-- from each moment to the next, the same runs are active and the same is used
spans as (

    select
        day,
        charged_by,
        charged_to,
        at_seconds,
        lead(at_seconds) over of_place - at_seconds as seconds,
        sum(runs) over so_far as runs,
        cast(sum(rate) over so_far as decimal(18, 6)) as rate
    from moments
    window
        of_place as (partition by day, charged_by, charged_to order by at_seconds),
        so_far as (
            partition by day, charged_by, charged_to order by at_seconds
            rows between unbounded preceding and current row
        )

),

weights as (

    select
        spans.day,
        spans.charged_by,
        spans.charged_to,
        spans.at_seconds,
        spans.runs,
        bases.basis,
        cast(
            coalesce(spans.seconds, 0)
            * case
                when bases.basis != 'time' then spans.rate
                when spans.runs > 0 then 1
                else 0
            end as decimal(29, 9)
        ) as weight
    from spans
    inner join bases
        on
            spans.day = bases.day
            and spans.charged_by = bases.charged_by
            and spans.charged_to = bases.charged_to

),

-- what one run that was always active would have got before each moment
meters as (

    select
        *,
        coalesce(
            sum(case when runs > 0 then cast(weight / runs as decimal(29, 9)) else 0 end) over (
                partition by day, charged_by, charged_to order by at_seconds
                rows between unbounded preceding and 1 preceding
            ), 0
        ) as metered
    from weights

),

wholes as (

    select
        day,
        charged_by,
        charged_to,
        sum(weight) as weight
    from weights
    group by day, charged_by, charged_to

),

final as (

    select
        runs.day,
        runs.system,
        runs.run_id,
        runs.charged_by,
        runs.charged_to,
        meters.basis,
        ended.metered - meters.metered as weight,
        wholes.weight as whole_weight
    from runs
    inner join meters
        on
            runs.day = meters.day
            and runs.charged_by = meters.charged_by
            and runs.charged_to = meters.charged_to
            and runs.starts = meters.at_seconds
    inner join meters as ended
        on
            runs.day = ended.day
            and runs.charged_by = ended.charged_by
            and runs.charged_to = ended.charged_to
            and runs.ends = ended.at_seconds
    inner join wholes
        on
            runs.day = wholes.day
            and runs.charged_by = wholes.charged_by
            and runs.charged_to = wholes.charged_to

)

select * from final
