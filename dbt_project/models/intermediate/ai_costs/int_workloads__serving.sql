{%- set string = dbt.type_string() -%}
{%- set hosted = [] -%}
{%- for one in var('language_models') if one.workload -%}
    {%- do hosted.append([one.provider, one.model, one.workload]) -%}
{%- endfor -%}

with

predicting as (

    {{ mapping_rows(var('model_workloads'), 'model', 'resource') | indent(4) }}

),

talking as (

    {{ inline_rows({'provider': string, 'model': string, 'resource': string}, hosted) | indent(4) }}

),

final as (

    select
        resource,
        'predictions' as serves,
        cast(null as {{ string }}) as provider,
        model
    from predicting
    where resource is not null
    union all
    select
        resource,
        'tokens' as serves,
        provider,
        model
    from talking

)

select * from final
