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
        coalesce(by_id.charged_by, by_resource.charged_by, by_namespace.charged_by) as charged_by,
        coalesce(by_id.charged_to, by_resource.charged_to, by_namespace.charged_to) as charged_to,
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
    left join places as by_id
        on
            measurements.day = by_id.day
            and by_id.charged_by = 'resource_id'
            and measurements.resource_id = by_id.charged_to
    left join places as by_resource
        on
            measurements.day = by_resource.day
            and by_resource.charged_by = 'resource'
            and measurements.resource = by_resource.charged_to
    left join serving
        on measurements.resource = serving.resource
    left join places as by_namespace
        on
            measurements.day = by_namespace.day
            and by_namespace.charged_by = 'namespace'
            and measurements.namespace = by_namespace.charged_to
            and serving.resource is null

)

select * from claimed
