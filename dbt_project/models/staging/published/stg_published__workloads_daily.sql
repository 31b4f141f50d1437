with

published as (

    select * from {{ published(source('published', 'fct_workload_utilisation_daily')) }}

),

final as (

    select
        -- ids
        cluster,
        resource,

        -- numbers
        gpu_utilisation_percent_max,

        -- times
        day

    from published
    where {{ in_last_days('day', var('matching')['measured_days']) }}

)

select * from final
