with

runs as (

    select * from {{ ref('int_runs__placed') }}

),

named as (

    select distinct
        day,
        charged_by,
        charged_to
    from runs
    where charged_to is not null

)

select * from named
