{%- set place = ['day', 'charged_by', 'charged_to'] -%}

with

runs as (

    select * from {{ ref('int_runs__placed') }}

),

pools as (

    select * from {{ ref('int_run_carbon__pooled') }}

),

shares as (

    select
        *,
        least(coalesce(weight / nullif(whole_weight, 0), 0), 1) as share
    from {{ ref('int_run_shares__weighed') }}

),

of_runs as (

    select
        runs.day,
        runs.charged_by,
        runs.charged_to,
        runs.system,
        runs.run_id,
        runs.experiment,
        runs.name,
        runs.team,
        cast(shares.share as double) as share,
        {% for metric in carbon_metrics() -%}
        {{ money_share('pools.' ~ metric, 'shares.share') }} as {{ metric }},
        {% endfor -%}
        case
            when runs.charged_to is null then 'where it ran is not told'
            when pools.day is null then 'nothing measured what it ran on'
            else pools.location_reason
        end as reason
    from runs
    left join shares
        on
            runs.day = shares.day
            and runs.system = shares.system
            and runs.run_id = shares.run_id
            and runs.charged_by = shares.charged_by
            and runs.charged_to = shares.charged_to
    left join pools
        on
            runs.day = pools.day
            and runs.charged_by = pools.charged_by
            and runs.charged_to = pools.charged_to

),

given as (

    select
        {{ place | join(',\n        ') }},
        {%- for metric in carbon_metrics() %}
        sum({{ metric }}) as {{ metric }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from of_runs
    group by {{ place | join(', ') }}

),

-- what no run used: with it the sum is what was measured there
of_no_run as (

    select
        pools.day,
        pools.charged_by,
        pools.charged_to,
        cast(null as {{ dbt.type_string() }}) as system,
        cast(null as {{ dbt.type_string() }}) as run_id,
        cast(null as {{ dbt.type_string() }}) as experiment,
        cast(null as {{ dbt.type_string() }}) as name,
        cast(null as {{ dbt.type_string() }}) as team,
        cast(null as double) as share,
        {% for metric in carbon_metrics() -%}
        pools.{{ metric }} - given.{{ metric }} as {{ metric }},
        {% endfor -%}
        pools.location_reason as reason
    from pools
    inner join given
        on
            pools.day = given.day
            and pools.charged_by = given.charged_by
            and pools.charged_to = given.charged_to

),

final as (

    select * from of_runs
    union all
    select * from of_no_run

)

select
    day,
    charged_by,
    charged_to,
    system,
    run_id,
    experiment,
    name,
    team,
    share,
    {% for metric in carbon_metrics() -%}
    cast({{ metric }} as decimal(38, 20)) as {{ metric }},
    {% endfor -%}
    reason
from final
