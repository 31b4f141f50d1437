with

published as (

    select * from {{ published(source('published', 'fct_token_usage')) }}

),

final as (

    select
        day,
        provider,
        model,
        service,
        team,
        namespace,
        workload,
        input_tokens,
        output_tokens,
        cached_input_tokens
    from published
    where {{ within(day_window()) }}

)

select * from final
