{%- set grain = [
    'billing_period', 'source', 'charge_date', 'provider_name', 'billing_account_id',
    'sub_account_id', 'service_name', 'team', 'environment', 'charge_category', 'charge_class',
    'billing_currency',
] -%}

with

targets as (

    {{ value_rows(var('convert_to'), 'currency') | indent(4) }}

),

costs as (

    select
        {{ grain | join(',\n        ') }},
        {{ money_sum('billed_cost', grain) }} as billed_cost,
        {{ money_sum('effective_cost', grain) }} as effective_cost
    from {{ ref('fct_costs_daily') }}
    where
        {{ within(billing_window()) }}
        and exists (select 1 from targets)
    group by {{ grain | join(', ') }}

),

-- what a period bills is converted by a day of it: a correction of an older charge is new money
dated as (

    select
        costs.*,
        targets.currency,
        least(
            greatest(costs.charge_date, costs.billing_period),
            cast({{ dbt.last_day('costs.billing_period', 'month') }} as date)
        ) as rate_wanted_on
    from costs
    cross join targets

),

wanted as (

    select distinct
        billing_currency,
        currency,
        rate_wanted_on
    from dated
    where billing_currency != currency

),

rates as (

    select
        day,
        from_currency,
        to_currency,
        rate,
        taken_at
    from {{ currency_rates() }}

),

offered as (

    select
        wanted.*,
        rates.rate,
        rates.day as rate_date,
        rates.taken_at as rate_taken_at,
        row_number() over (
            partition by wanted.billing_currency, wanted.currency, wanted.rate_wanted_on
            order by rates.day desc, rates.taken_at desc
        ) as best_first
    from wanted
    inner join rates
        on
            wanted.billing_currency = rates.from_currency
            and wanted.currency = rates.to_currency
            and wanted.rate_wanted_on >= rates.day
            and rates.day >= cast(
                {{ dbt.dateadd('day', -var('rate_days'), 'wanted.rate_wanted_on') }} as date
            )

),

chosen as (

    select * from offered
    where best_first = 1

),

rated as (

    select
        dated.*,
        case when dated.billing_currency = dated.currency then 1 else chosen.rate end as rate,
        case
            when dated.billing_currency = dated.currency then dated.rate_wanted_on
            else chosen.rate_date
        end as rate_date,
        chosen.rate_taken_at
    from dated
    left join chosen
        on
            dated.billing_currency = chosen.billing_currency
            and dated.currency = chosen.currency
            and dated.rate_wanted_on = chosen.rate_wanted_on

),

converted as (

    select
        {{ grain | join(',\n        ') }},
        currency,
        billed_cost,
        effective_cost,
        cast(rate as decimal(38, 20)) as rate,
        rate_date,
        rate_taken_at,
        {{ converted('billed_cost', 'cast(rate as decimal(22, 16))') | indent(8) }}
            as converted_billed_cost,
        {{ converted('effective_cost', 'cast(rate as decimal(22, 16))') | indent(8) }}
            as converted_effective_cost,
        case
            when rate is null
                then
                    'no rate from ' || coalesce(billing_currency, 'an unknown currency')
                    || ' to ' || currency || ' for ' || cast(rate_wanted_on as varchar)
        end as not_converted
    from rated

)

select * from converted
