{%- set string = dbt.type_string() -%}
{%- set of_run = ['day', 'registry', 'run_id'] -%}
{%- set of_workload = ['day', 'cluster', 'resource'] -%}

with

runs as (

    select * from {{ ref('fct_run_carbon_daily') }}
    where {{ within(day_window()) }} and run_id is not null

),

versions as (

    select * from {{ ref('int_model_versions__ranked') }}

),

workloads as (

    select * from {{ ref('stg_published__workload_carbon') }}

),

serving as (

    select * from {{ ref('int_workloads__serving') }}
    where serves = 'predictions'

),

answers as (

    select * from {{ ref('stg_published__model_metrics') }}

),

-- a run of several places of which one is not known has unknown emissions, not smaller ones
of_runs as (

    select
        day,
        system,
        run_id,
        max(experiment) as experiment,
        {% for metric in carbon_metrics() -%}
        case when count(*) = count({{ metric }}) then sum({{ metric }}) end as {{ metric }},
        {% endfor -%}
        max(reason) as reason
    from runs
    group by day, system, run_id

),

made as (

    select
        of_runs.day,
        versions.registry,
        of_runs.run_id,
        of_runs.experiment,
        versions.model,
        versions.version,
        versions.share,
        versions.largest_first,
        {% for metric in carbon_metrics() -%}
        of_runs.{{ metric }},
        {% endfor -%}
        of_runs.reason
    from of_runs
    inner join versions
        on
            of_runs.system = versions.registry
            and of_runs.run_id = versions.run_id

),

answered as (

    select
        workloads.day,
        workloads.cluster,
        workloads.resource,
        serving.model,
        answers.model_version,
        answers.predictions,
        cast(
            cast(coalesce(answers.predictions, 1) as double)
            / sum(coalesce(answers.predictions, 1)) over (
                partition by workloads.day, workloads.cluster, workloads.resource
            ) as decimal(10, 9)
        ) as share,
        row_number() over (
            partition by workloads.day, workloads.cluster, workloads.resource
            order by answers.predictions desc, serving.model asc, answers.model_version asc
        ) as largest_first,
        {% for metric in carbon_metrics() -%}
        workloads.{{ metric }},
        {% endfor -%}
        workloads.location_reason as reason
    from workloads
    inner join serving
        on workloads.resource = serving.resource
    left join answers
        on
            workloads.day = answers.day
            and serving.model = answers.model

),

final as (

    select
        day,
        'training' as kind,
        model,
        version as model_version,
        registry as system,
        run_id,
        experiment,
        cast(null as {{ string }}) as cluster,
        cast(null as {{ string }}) as resource,
        cast(null as {{ dbt.type_bigint() }}) as predictions,
        {% for metric in carbon_metrics() -%}
        cast({{ received_part(metric, of_run) }} as decimal(38, 20)) as {{ metric }},
        {% endfor -%}
        reason
    from made
    union all
    select
        day,
        'serving' as kind,
        model,
        model_version,
        cast(null as {{ string }}) as system,
        cast(null as {{ string }}) as run_id,
        cast(null as {{ string }}) as experiment,
        cluster,
        resource,
        cast(predictions as {{ dbt.type_bigint() }}) as predictions,
        {% for metric in carbon_metrics() -%}
        cast({{ received_part(metric, of_workload) }} as decimal(38, 20)) as {{ metric }},
        {% endfor -%}
        reason
    from answered

)

-- SCI of a thousand predictions: (E x I + M) / R, ISO/IEC 21031:2024
select
    *,
    case
        when predictions > 0
            then {{ scaled('location_gco2e + coalesce(embodied_gco2e, 0)', '1000', 'predictions') }}
    end as sci_per_thousand_predictions
from final
