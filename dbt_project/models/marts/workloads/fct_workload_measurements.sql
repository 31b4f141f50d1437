with

measurements as (

    select * from {{ ref('int_measurements__pivoted') }}

),

final as (

    select
        -- ids and times of the grain: a file is sorted in this order, so that the rows of some
        -- resources are a few of its row groups
        day,
        resource,
        cluster,
        namespace,
        kind,
        name,
        container,
        time,
        interval_seconds,

        -- numbers
        {{ measured_columns().keys() | join(',\n        ') }},
        {{ replica_columns().keys() | join(',\n        ') }}

    from measurements

)

select * from final
