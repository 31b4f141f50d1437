{%- set string = dbt.type_string() -%}
{%- set grain = [
    'day', 'kind', 'basis', 'team', 'experiment', 'system', 'run_id', 'provider', 'model',
    'model_version', 'service', 'resource', 'service_name', 'billing_currency',
] -%}
{%- set own = {
    'of_versions': ['team', 'experiment', 'system', 'run_id', 'model', 'model_version'],
    'of_runs': ['team', 'experiment', 'system', 'run_id'],
    'of_no_run': ['team'],
    'served': ['team', 'model', 'model_version', 'resource'],
    'tokens': ['team', 'provider', 'model', 'service', 'resource', 'service_name'],
    'of_workloads': ['team', 'resource'],
    'of_services': ['team', 'resource', 'service_name'],
} -%}
{#- of what, its kind, its basis, and whether its GPUs waiting is left out or all of it -#}
{%- set parts = [
    ('of_versions', 'training', "'run'", none),
    ('of_runs', 'training', "'run'", none),
    ('of_no_run', 'other', "'no_run'", none),
    ('served', 'serving', 'basis', 'worked'),
    ('served', 'idle_gpu', "'gpu_hours'", 'waited'),
    ('tokens', 'tokens', 'basis', 'worked'),
    ('tokens', 'idle_gpu', "'gpu_hours'", 'waited'),
    ('of_workloads', 'other', "'no_model_told'", 'worked'),
    ('of_workloads', 'idle_gpu', "'gpu_hours'", 'waited'),
    ('of_services', 'other', "'ai_service'", none),
] -%}

with

runs as (

    select * from {{ ref('fct_run_costs') }}
    where {{ within(day_window()) }} and billing_currency is not null

),

versions as (

    select * from {{ ref('fct_model_version_costs') }}
    where {{ within(day_window()) }}

),

served as (

    select * from {{ ref('fct_model_serving_costs_daily') }}
    where {{ within(day_window()) }} and billing_currency is not null

),

tokens as (

    select * from {{ ref('fct_token_costs_daily') }}
    where {{ within(day_window()) }} and billing_currency is not null

),

pools as (

    select * from {{ ref('int_run_charges__pooled') }}

),

workloads as (

    select * from {{ ref('int_workload_costs__left') }}

),

serving as (

    select distinct resource from {{ ref('int_workloads__serving') }}

),

of_services as (

    select * from {{ ref('int_ai_charges__scoped') }}
    where scope = 'service'

),

told_runs as (

    select
        runs.day,
        runs.charged_by,
        runs.charged_to,
        runs.billing_currency,
        runs.system,
        runs.run_id,
        runs.experiment,
        coalesce(runs.team, pools.team) as team,
        runs.billed_cost,
        runs.effective_cost
    from runs
    inner join pools
        on
            runs.day = pools.day
            and runs.charged_by = pools.charged_by
            and runs.charged_to = pools.charged_to
            and runs.billing_currency = pools.billing_currency

),

run_names as (

    select
        day,
        system,
        run_id,
        max(team) as team,
        max(experiment) as experiment
    from told_runs
    where run_id is not null
    group by day, system, run_id

),

-- a run that made versions is told by them
of_versions as (

    select
        versions.day,
        run_names.team,
        run_names.experiment,
        run_names.system,
        versions.run_id,
        versions.model,
        versions.version as model_version,
        versions.billing_currency,
        versions.billed_cost,
        versions.effective_cost
    from versions
    inner join run_names
        on
            versions.day = run_names.day
            and versions.registry = run_names.system
            and versions.run_id = run_names.run_id

),

of_runs as (

    select told_runs.*
    from told_runs
    left join versions
        on
            told_runs.day = versions.day
            and told_runs.system = versions.registry
            and told_runs.run_id = versions.run_id
            and told_runs.billing_currency = versions.billing_currency
    where told_runs.run_id is not null and versions.day is null

),

-- what no run used of a place; of a workload with a share of its own, it is there
of_no_run as (

    select told_runs.*
    from told_runs
    left join workloads
        on
            told_runs.day = workloads.day
            and told_runs.charged_by = 'resource'
            and told_runs.charged_to = workloads.resource
            and told_runs.billing_currency = workloads.billing_currency
    where told_runs.run_id is null and workloads.day is null

),

of_workloads as (

    select workloads.*
    from workloads
    left join serving
        on workloads.resource = serving.resource
    where serving.resource is null

),

unioned as (

    {% for relation, kind, basis, gpus in parts -%}
    select
        day,
        '{{ kind }}' as kind,
        {{ basis }}{% if basis != 'basis' %} as basis{% endif %},
        {% for column in grain[3:-1] -%}
        {% if column in own[relation] -%}
        {{ column }},
        {%- else -%}
        cast(null as {{ string }}) as {{ column }},
        {%- endif %}
        {% endfor -%}
        billing_currency,
        {% for cost in ['billed_cost', 'effective_cost'] -%}
        {% if gpus == 'worked' -%}
        {{ cost }} - idle_{{ cost }} as {{ cost }}
        {%- elif gpus == 'waited' -%}
        idle_{{ cost }} as {{ cost }}
        {%- else -%}
        {{ cost }}
        {%- endif %}{% if not loop.last %},{% endif %}
        {% endfor -%}
    from {{ relation }}
    {% if not loop.last %}union all
    {% endif %}
    {%- endfor %}

),

final as (

    select
        {{ grain | join(',\n        ') }},
        {{ money_sum('billed_cost', grain) }} as billed_cost,
        {{ money_sum('effective_cost', grain) }} as effective_cost
    from unioned
    group by {{ grain | join(', ') }}

)

select * from final
where billed_cost != 0 or effective_cost != 0
