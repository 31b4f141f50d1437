with

usage as (

    select
        *,
        {{ language_model_number('provider', 'model') }} as model_number
    from {{ ref('stg_published__token_usage') }}

),

told as (

    {{ language_model_rows() | indent(4) }}

),

named as (

    select
        usage.day,
        usage.model_number,
        coalesce(told.provider, usage.provider) as provider,
        coalesce(told.model, usage.model) as model,
        told.resource,
        usage.service,
        usage.team,
        usage.namespace,
        usage.workload,
        usage.input_tokens,
        usage.output_tokens,
        case
            when told.bills_cached
                then least(coalesce(usage.cached_input_tokens, 0), usage.input_tokens)
            else 0
        end as cached_input_tokens
    from usage
    left join told
        on usage.model_number = told.number

),

typed as (

    {% for token_type, tokens in {
        'input': 'input_tokens - cached_input_tokens',
        'cached_input': 'cached_input_tokens',
        'output': 'output_tokens',
    }.items() -%}
    select
        day,
        model_number,
        provider,
        model,
        resource,
        service,
        team,
        namespace,
        workload,
        '{{ token_type }}' as token_type,
        {{ tokens }} as tokens
    from named
    {% if not loop.last %}union all
    {% endif %}
    {%- endfor %}

),

summed as (

    select
        day,
        model_number,
        provider,
        model,
        resource,
        service,
        team,
        namespace,
        workload,
        token_type,
        cast(sum(tokens) as {{ dbt.type_bigint() }}) as tokens
    from typed
    group by
        day, model_number, provider, model, resource, service, team, namespace, workload, token_type
    having sum(tokens) > 0

)

select * from summed
