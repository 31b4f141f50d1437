with

matched as (

    select * from {{ ref('int_workloads__matched') }}

),

final as (

    select
        -- ids and times of the grain
        {{ date_literal(var('last_day')) }} as day,
        resource,

        -- strings
        cluster,
        namespace,
        kind,
        name,
        declared_resource,
        rule,
        reason,

        -- numbers
        confidence,
        cast(clusters as bigint) as clusters,
        cast(days_seen as bigint) as days_seen,

        -- booleans
        uses_gpu,

        -- times
        first_day,
        last_day

    from matched

)

select * from final
