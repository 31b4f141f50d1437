with

costs as (

    select * from {{ ref('fct_run_costs') }}
    where {{ within(day_window()) }} and billing_currency is not null and run_id is not null

),

versions as (

    select distinct
        registry,
        model,
        version,
        run_id
    from {{ ref('stg_published__model_versions') }}

),

-- a run that made several versions costs each of them its part
ranked as (

    select
        *,
        count(*) over (partition by registry, run_id) as versions_of_run,
        row_number() over (partition by registry, run_id order by model, version) as rank_in_run
    from versions

),

of_runs as (

    select
        day,
        system,
        run_id,
        billing_currency,
        {{ money_sum('billed_cost', ['billing_currency']) }} as billed_cost,
        {{ money_sum('effective_cost', ['billing_currency']) }} as effective_cost
    from costs
    group by day, system, run_id, billing_currency

),

parted as (

    select
        of_runs.day,
        ranked.registry,
        ranked.model,
        ranked.version,
        of_runs.run_id,
        of_runs.billing_currency,
        ranked.versions_of_run,
        ranked.rank_in_run,
        of_runs.billed_cost as whole_billed_cost,
        of_runs.effective_cost as whole_effective_cost,
        {{ money_share('of_runs.billed_cost', '1.0 / ranked.versions_of_run') }} as billed_cost,
        {{ money_share('of_runs.effective_cost', '1.0 / ranked.versions_of_run') }}
            as effective_cost
    from of_runs
    inner join ranked
        on
            of_runs.system = ranked.registry
            and of_runs.run_id = ranked.run_id

),

-- the first takes what the division leaves
final as (

    select
        day,
        registry,
        model,
        version,
        run_id,
        billing_currency,
        case
            when rank_in_run = 1 then whole_billed_cost - billed_cost * (versions_of_run - 1)
            else billed_cost
        end as billed_cost,
        case
            when rank_in_run = 1 then whole_effective_cost - effective_cost * (versions_of_run - 1)
            else effective_cost
        end as effective_cost
    from parted

)

select * from final
