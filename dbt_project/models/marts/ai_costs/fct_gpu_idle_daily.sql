with

hours as (

    select
        *,
        idle_gpu_seconds - idle_in_runs_gpu_seconds as waited_gpu_seconds
    from {{ ref('int_gpu_hours__judged') }}

),

costs as (

    select * from {{ ref('int_workload_costs__left') }}

),

final as (

    select
        -- ids and times of the grain
        hours.day,
        hours.resource,
        costs.billing_currency,

        -- strings
        costs.team,
        case
            when costs.billing_currency is not null then 'gpu_hours'
            when coalesce(hours.charged_by, 'resource') != 'resource' then 'of_runs'
            else 'nothing_billed'
        end as basis,

        -- numbers
        cast({{ var('idle_below_percent') }} as double) as idle_below_percent,
        {% for name, seconds in {
            'gpu_hours': 'gpu_seconds',
            'busy_gpu_hours': 'gpu_seconds - hours.idle_gpu_seconds',
            'idle_gpu_hours': 'idle_gpu_seconds',
            'idle_in_runs_gpu_hours': 'idle_in_runs_gpu_seconds',
        }.items() -%}
        cast((hours.{{ seconds }}) as double) / 3600 as {{ name }},
        {% endfor -%}
        cast(hours.waited_gpu_seconds / hours.gpu_seconds as double) as idle_share,
        costs.idle_billed_cost,
        costs.idle_effective_cost

    from hours
    left join costs
        on
            hours.day = costs.day
            and hours.resource = costs.resource
    where {{ within(day_window()) | replace('day between', 'hours.day between') }}

)

select * from final
