{%- set whole = ['day', 'registry', 'run_id', 'billing_currency'] -%}

with

costs as (

    select * from {{ ref('fct_run_costs') }}
    where {{ within(day_window()) }} and billing_currency is not null and run_id is not null

),

versions as (

    select * from {{ ref('int_model_versions__ranked') }}

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
        versions.registry,
        versions.model,
        versions.version,
        of_runs.run_id,
        of_runs.billing_currency,
        versions.share,
        versions.largest_first,
        of_runs.billed_cost as whole_billed_cost,
        of_runs.effective_cost as whole_effective_cost
    from of_runs
    inner join versions
        on
            of_runs.system = versions.registry
            and of_runs.run_id = versions.run_id

),

final as (

    select
        day,
        registry,
        model,
        version,
        run_id,
        billing_currency,
        {{ received_part('whole_billed_cost', whole) }} as billed_cost,
        {{ received_part('whole_effective_cost', whole) }} as effective_cost
    from parted

)

select * from final
