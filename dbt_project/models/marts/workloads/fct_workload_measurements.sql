with

measurements as (

    select * from {{ ref('int_measurements__pivoted') }}

),

final as (

    select
        -- ids and times of the grain
        day,
        time,
        interval_seconds,
        resource,
        cluster,
        namespace,
        kind,
        name,
        container,

        -- numbers
        {{ measured_columns().keys() | join(',\n        ') }},
        {{ replica_columns().keys() | join(',\n        ') }}

    from measurements

)

select * from final
