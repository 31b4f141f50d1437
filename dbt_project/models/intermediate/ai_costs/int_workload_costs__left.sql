{%- set grain = ['day', 'resource', 'billing_currency'] -%}

with

charges as (

    select * from {{ ref('int_ai_charges__scoped') }}
    where scope = 'workload'

),

shared as (

    select * from {{ ref('int_run_costs__shared') }}
    where charged_by = 'resource'

),

hours as (

    select
        *,
        (idle_gpu_seconds - idle_in_runs_gpu_seconds) / gpu_seconds as idle_share
    from {{ ref('int_gpu_hours__judged') }}

),

wholes as (

    select
        {{ grain | join(',\n        ') }},
        case when min(team) = max(team) and count(team) = count(*) then max(team) end as team,
        {{ money_sum('billed_cost', grain) }} as billed_cost,
        {{ money_sum('effective_cost', grain) }} as effective_cost
    from charges
    group by {{ grain | join(', ') }}

),

of_runs as (

    select
        day,
        charged_to as resource,
        billing_currency,
        {{ money_sum('billed_cost', grain) }} as billed_cost,
        {{ money_sum('effective_cost', grain) }} as effective_cost
    from shared
    group by day, charged_to, billing_currency

),

-- GPUs that waited, with what was billed beside them, by the time that they did while no run was
-- active; runs were charged by the same time
final as (

    select
        wholes.day,
        wholes.resource,
        wholes.billing_currency,
        wholes.team,
        wholes.billed_cost - coalesce(of_runs.billed_cost, 0) as billed_cost,
        wholes.effective_cost - coalesce(of_runs.effective_cost, 0) as effective_cost,
        {% for metric in ['billed_cost', 'effective_cost'] -%}
        {%- set part = money_part('wholes.' ~ metric, 'coalesce(hours.idle_share, 0)') -%}
        {{ part }} as idle_{{ metric }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from wholes
    left join of_runs
        on
            wholes.day = of_runs.day
            and wholes.resource = of_runs.resource
            and wholes.billing_currency = of_runs.billing_currency
    left join hours
        on
            wholes.day = hours.day
            and wholes.resource = hours.resource

)

select * from final
