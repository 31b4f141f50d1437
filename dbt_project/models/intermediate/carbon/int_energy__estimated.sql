with

measurements as (

    select * from {{ ref('fct_workload_measurements') }}
    where {{ within(day_window()) }}

),

coefficients as (

    select * from {{ ref('int_coefficients__pivoted') }}

),

shared as (

    select * from {{ ref('int_coefficients__shared') }}

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

-- where the power of CPU or memory was measured, nothing of it is estimated
held as (

    select
        day,
        resource,
        cluster,
        {{ dbt.date_trunc('hour', 'time') }} as hour,
        interval_seconds,
        cpu_power_watts,
        memory_power_watts,
        gpu_power_watts,
        case when cpu_power_watts is null then cpu_cores end as cpu_cores,
        case
            when cpu_power_watts is null and cpu_cores is not null
                then greatest(cpu_cores, coalesce(cpu_request_cores, cpu_cores))
        end as held_cores,
        greatest(cpu_cores, coalesce(cpu_request_cores, cpu_cores)) as occupied_cores,
        case
            when memory_power_watts is null and memory_working_set_bytes is not null
                then greatest(
                    memory_working_set_bytes,
                    coalesce(memory_request_bytes, memory_working_set_bytes)
                )
        end as held_memory_bytes
    from measurements
    where
        cpu_cores is not null
        or memory_working_set_bytes is not null
        or gpu_power_watts is not null
        or cpu_power_watts is not null
        or memory_power_watts is not null

),

-- sums over the hour first: coefficients are the same for all of a cluster's samples
allocated as (

    select
        day,
        resource,
        cluster,
        hour,
        coalesce({{ steady_sum('cpu_cores * interval_seconds') }}, 0) / 3600 as cpu_core_hours,
        coalesce({{ steady_sum('held_cores * interval_seconds') }}, 0) / 3600
            as allocated_core_hours,
        coalesce({{ steady_sum('occupied_cores * interval_seconds') }}, 0) / 3600
            as occupied_core_hours,
        coalesce({{ steady_sum('held_memory_bytes * interval_seconds') }}, 0) / 3600 / 1073741824
            as allocated_memory_gb_hours,
        coalesce({{ steady_sum('cpu_power_watts * interval_seconds') }}, 0) / 3600
        + coalesce({{ steady_sum('memory_power_watts * interval_seconds') }}, 0) / 3600
        + coalesce({{ steady_sum('gpu_power_watts * interval_seconds') }}, 0) / 3600
            as measured_watt_hours
    from held
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

of_bound as (

    select
        located.day,
        located.hour,
        located.resource,
        located.cluster,
        located.region,
        located.occupied_core_hours * shared.core_hour_gco2e as embodied_gco2e,
        coefficients.bound,
        coefficients.power_usage_effectiveness
        * (
            located.allocated_core_hours * coefficients.min_watts_per_vcpu / 1000
            + located.cpu_core_hours
            * (coefficients.max_watts_per_vcpu - coefficients.min_watts_per_vcpu) / 1000
            + located.allocated_memory_gb_hours * coefficients.memory_kwh_per_gb_hour
            + located.measured_watt_hours / 1000
        ) as energy_kwh,
        coefficients.power_usage_effectiveness * located.measured_watt_hours / 1000
            as measured_kwh
    from located
    inner join coefficients
        on located.provider = coefficients.provider
    cross join shared

),

estimated as (

    select
        day,
        hour,
        resource,
        cluster,
        region,
        max(embodied_gco2e) as embodied_gco2e,
        max(case when bound = 'mid' then energy_kwh end) as energy_kwh,
        max(case when bound = 'low' then energy_kwh end) as energy_low_kwh,
        max(case when bound = 'high' then energy_kwh end) as energy_high_kwh,
        max(case when bound = 'mid' then measured_kwh end) as measured_kwh
    from of_bound
    group by day, hour, resource, cluster, region

)

select * from estimated
