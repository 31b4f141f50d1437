with

published as (

    select * from {{ published(source('in_force', 'fct_workload_utilisation_daily')) }}

),

final as (

    select
        -- ids
        cluster,
        namespace,
        resource,

        -- numbers
        cpu_core_hours,
        memory_gib_hours,
        gpu_hours,

        -- times
        day

    from published

)

select * from final
