with

measurements as (

    select * from {{ ref('stg_telemetry__measurements') }}

),

pivoted as (

    select
        day,
        time,
        interval_seconds,
        cluster,
        namespace,
        kind,
        name,
        coalesce(container, '') as container,
        {%- for column, metric in measured_columns().items() %}
        max(case when metric = '{{ metric }}' then value end) as {{ column }}{{ "," if not loop.last }}
        {%- endfor %}
    from measurements
    where metric in ({% for metric in measured_columns().values() %}'{{ metric }}'{{ ", " if not loop.last }}{% endfor %})
    group by
        day,
        time,
        interval_seconds,
        cluster,
        namespace,
        kind,
        name,
        coalesce(container, '')

),

named as (

    select
        *,
        kind || '/' || namespace || '/' || name as resource
    from pivoted

)

select * from named
