with

measurements as (

    select * from {{ ref('stg_telemetry__measurements') }}
    where metric = 'kube_pod_labels' and label is not null and label_value is not null

),

summed as (

    select
        day,
        cluster,
        kind || '/' || namespace || '/' || name as resource,
        label,
        label_value,
        {{ steady_sum('value') }} as pod_hours
    from measurements
    group by day, cluster, kind || '/' || namespace || '/' || name, label, label_value

),

-- a label that changed in the day is what it was for longer
ranked as (

    select
        *,
        row_number() over (
            partition by day, cluster, resource, label order by pod_hours desc, label_value asc
        ) as longest_first
    from summed

)

select
    day,
    cluster,
    resource,
    label,
    label_value,
    pod_hours
from ranked
where longest_first = 1
