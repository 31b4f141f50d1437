with

measurements as (

    select * from {{ ref('fct_workload_measurements') }}
    where {{ within(day_window()) }}

),

coefficients as (

    select * from {{ ref('int_coefficients__pivoted') }}

),

cluster_regions as (

    {{ mapping_rows(var('clusters'), 'cluster', 'region') | indent(4) }}

),

cluster_providers as (

    select
        cluster,
        region,
        coalesce({{ provider_of('region') }}, 'unknown') as provider
    from cluster_regions

),

held as (

    select
        day,
        resource,
        cluster,
        {{ dbt.date_trunc('hour', 'time') }} as hour,
        interval_seconds,
        cpu_cores,
        memory_working_set_bytes,
        gpu_power_watts,
        case
            when cpu_cores is not null
                then greatest(cpu_cores, coalesce(cpu_request_cores, cpu_cores))
        end as held_cores,
        case
            when memory_working_set_bytes is not null
                then greatest(
                    memory_working_set_bytes,
                    coalesce(memory_request_bytes, memory_working_set_bytes)
                )
        end as held_memory_bytes
    from measurements

),

-- sums over the hour first: coefficients are the same for all of a cluster's samples
allocated as (

    select
        day,
        resource,
        cluster,
        hour,
        {{ steady_sum('cpu_cores * interval_seconds') }} / 3600 as cpu_core_hours,
        {{ steady_sum('held_cores * interval_seconds') }} / 3600 as allocated_core_hours,
        {{ steady_sum('held_memory_bytes * interval_seconds') }} / 3600 / 1073741824
            as allocated_memory_gb_hours,
        {{ steady_sum('gpu_power_watts * interval_seconds') }} / 3600 as gpu_watt_hours
    from held
    where
        cpu_cores is not null
        or memory_working_set_bytes is not null
        or gpu_power_watts is not null
    group by day, resource, cluster, hour

),

located as (

    select
        allocated.*,
        cluster_providers.region,
        coalesce(cluster_providers.provider, 'unknown') as provider
    from allocated
    left join cluster_providers
        on allocated.cluster = cluster_providers.cluster

),

estimated as (

    select
        located.day,
        located.hour,
        located.resource,
        located.cluster,
        located.region,
        coefficients.power_usage_effectiveness
        * (
            coalesce(located.allocated_core_hours * coefficients.min_watts_per_vcpu, 0) / 1000
            + coalesce(
                located.cpu_core_hours
                * (coefficients.max_watts_per_vcpu - coefficients.min_watts_per_vcpu),
                0
            ) / 1000
            + coalesce(
                located.allocated_memory_gb_hours * coefficients.memory_kwh_per_gb_hour, 0
            )
            + coalesce(located.gpu_watt_hours, 0) / 1000
        ) as energy_kwh
    from located
    inner join coefficients
        on located.provider = coefficients.provider

)

select * from estimated
