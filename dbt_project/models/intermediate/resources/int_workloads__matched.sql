with

measured as (

    select * from {{ ref('int_workloads__measured') }}

),

candidates as (

    select * from {{ ref('int_workloads__candidates') }}

),

best as (

    {{ best_candidates('candidates', 'resource', 'measured') | indent(4) }}

),

final as (

    select
        -- ids
        measured.resource,

        -- strings
        measured.kind,
        measured.namespace,
        measured.name,
        measured.cluster,
        best.declared_resource,
        best.rule,
        coalesce(best.reason, 'No declaration has this workload under any rule.') as reason,

        -- numbers
        measured.clusters,
        measured.days_seen,
        best.confidence,

        -- booleans
        measured.uses_gpu,

        -- times
        measured.first_day,
        measured.last_day

    from measured
    left join best
        on measured.resource = best.resource

)

select * from final
