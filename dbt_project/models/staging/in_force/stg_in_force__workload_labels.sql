with

published as (

    select * from {{ published(source('in_force', 'fct_workload_labels_daily')) }}

),

final as (

    select
        -- ids
        cluster,
        resource,

        -- strings
        label,
        label_value,

        -- times
        day

    from published

)

select * from final
