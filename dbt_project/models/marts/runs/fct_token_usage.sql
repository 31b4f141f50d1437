with

usage as (

    select * from {{ ref('stg_runs__token_usage') }}

),

final as (

    select
        -- ids and times of the grain
        day,
        time,
        interval_seconds,
        source,
        provider,
        model,
        operation,
        service,
        team,
        cluster,
        namespace,
        workload,

        -- numbers
        input_tokens,
        output_tokens,
        cached_input_tokens,
        requests

    from usage

)

select * from final
