with

measured as (

    select
        *,
        cast(null as {{ dbt.type_string() }}) as resource_id
    from {{ ref('stg_published__workload_carbon') }}

),

places as (

    select * from {{ ref('int_places__named') }}

),

-- what serves a model is no part of its namespace's runs
serving as (

    select distinct resource from {{ ref('int_workloads__serving') }}

),

-- what a workload drew is of one place, as a charge is
claimed as (

    select
        measured.day,
        {{ claimed_place('charged_by') }} as charged_by,
        {{ claimed_place('charged_to') }} as charged_to,
        measured.location_reason,
        {% for metric in carbon_metrics() -%}
        measured.{{ metric }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from measured
    {{ join_claiming_places('measured') }}

),

-- a place with a workload whose emissions are not known has unknown ones, not smaller ones
pooled as (

    select
        day,
        charged_by,
        charged_to,
        {% for metric in carbon_metrics() -%}
        case when count(*) = count({{ metric }}) then sum({{ metric }}) end as {{ metric }},
        {% endfor -%}
        max(location_reason) as location_reason
    from claimed
    where charged_to is not null
    group by day, charged_by, charged_to

)

select * from pooled
