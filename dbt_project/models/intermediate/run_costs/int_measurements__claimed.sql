with

measurements as (

    select
        *,
        cast(null as {{ dbt.type_string() }}) as resource_id
    from {{ ref('stg_published__measurements') }}

),

places as (

    select * from {{ ref('int_places__named') }}

),

-- what serves a model is no part of its namespace's runs
serving as (

    select distinct resource from {{ ref('int_workloads__serving') }}

),

-- a measurement is of one place, as a charge is
claimed as (

    select
        measurements.day,
        {{ claimed_place('charged_by') }} as charged_by,
        {{ claimed_place('charged_to') }} as charged_to,
        measurements.resource,
        {{ epoch_seconds('measurements.time') }} as starts,
        {{ epoch_seconds('measurements.time') }} + measurements.interval_seconds as ends,
        measurements.gpu_utilisation_percent,
        case
            when measurements.gpu_utilisation_percent is not null
                then coalesce(measurements.gpus_measured, 1)
        end as gpus,
        greatest(measurements.cpu_cores, measurements.cpu_request_cores) as cores
    from measurements
    {{ join_claiming_places('measurements') }}

)

select * from claimed
