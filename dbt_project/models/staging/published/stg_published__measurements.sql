with

published as (

    select * from {{ published(source('published', 'fct_workload_measurements')) }}

),

final as (

    select
        day,
        time,
        interval_seconds,
        cluster,
        namespace,
        resource,
        cpu_cores,
        cpu_request_cores,
        gpu_utilisation_percent,
        gpus_measured
    from published
    where {{ within(day_window()) }}

)

select * from final
