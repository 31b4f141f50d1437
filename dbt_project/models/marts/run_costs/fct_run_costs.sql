{%- set grain = ['day', 'charged_by', 'charged_to', 'billing_currency'] -%}

with

runs as (

    select * from {{ ref('int_runs__placed') }}

),

charges as (

    select * from {{ ref('int_run_charges__pooled') }}

),

shared as (

    select * from {{ ref('int_run_costs__shared') }}

),

given as (

    select
        {{ grain | join(',\n        ') }},
        max(basis) as basis,
        {{ money_sum('billed_cost', grain) }} as billed_cost,
        {{ money_sum('effective_cost', grain) }} as effective_cost
    from shared
    group by {{ grain | join(', ') }}

),

of_runs as (

    select
        runs.day,
        runs.charged_by,
        runs.charged_to,
        shared.billing_currency,
        runs.system,
        runs.run_id,
        runs.experiment,
        runs.name,
        runs.owner,
        runs.team,
        runs.status,
        case
            when runs.charged_to is null then 'no_place'
            when shared.billing_currency is null then 'nothing_billed'
            else shared.basis
        end as basis,
        cast(shared.share as double) as share,
        shared.billed_cost,
        shared.effective_cost
    from runs
    left join shared
        on
            runs.day = shared.day
            and runs.system = shared.system
            and runs.run_id = shared.run_id
            and runs.charged_by = shared.charged_by
            and runs.charged_to = shared.charged_to

),

-- what no run used, and what parting by shares left over: with it the sum is the bill's
unallocated as (

    select
        charges.day,
        charges.charged_by,
        charges.charged_to,
        charges.billing_currency,
        cast(null as {{ dbt.type_string() }}) as system,
        cast(null as {{ dbt.type_string() }}) as run_id,
        cast(null as {{ dbt.type_string() }}) as experiment,
        cast(null as {{ dbt.type_string() }}) as name,
        cast(null as {{ dbt.type_string() }}) as owner,
        cast(null as {{ dbt.type_string() }}) as team,
        cast(null as {{ dbt.type_string() }}) as status,
        'unallocated' as basis,
        cast(null as double) as share,
        charges.billed_cost - given.billed_cost as billed_cost,
        charges.effective_cost - given.effective_cost as effective_cost
    from charges
    inner join given
        on
            charges.day = given.day
            and charges.charged_by = given.charged_by
            and charges.charged_to = given.charged_to
            and charges.billing_currency = given.billing_currency
    where
        charges.billed_cost != given.billed_cost
        or charges.effective_cost != given.effective_cost

),

final as (

    select * from of_runs
    union all
    select * from unallocated

)

select * from final
