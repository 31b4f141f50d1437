{%- set grain = [
    'source', 'billing_period', 'charge_date', 'provider_name', 'billing_account_id',
    'sub_account_id', 'service_name', 'region_id', 'billing_currency',
] -%}
{%- set at_list = 'coalesce(list_cost, contracted_cost, effective_cost)' -%}

with

charges as (

    select
        {{ grain | reject('equalto', 'charge_date') | join(',\n        ') }},
        cast(charge_period_start as date) as charge_date,
        effective_cost,
        {{ at_list }} as cost_at_list,
        case
            when commitment_discount_status = 'Unused' then 'unused'
            when commitment_discount_status = 'Used' or pricing_category = 'Committed'
                then 'committed'
            when pricing_category = 'Dynamic' then 'dynamic'
            else 'on_demand'
        end as kind
    from {{ ref('stg_focus__charges') }}
    where charge_category = 'Usage'

),

summed as (

    select
        {{ grain | join(',\n        ') }},
        {% for kind in ['committed', 'on_demand'] -%}
        {%- set part = "case when kind = '" ~ kind ~ "' then cost_at_list end" -%}
        coalesce({{ money_sum(part, grain) }}, 0) as {{ kind }}_list_cost,
        {% endfor -%}
        {% for kind in ['committed', 'on_demand', 'unused', 'dynamic'] -%}
        {%- set part = "case when kind = '" ~ kind ~ "' then effective_cost end" -%}
        coalesce({{ money_sum(part, grain) }}, 0) as {{ kind }}_cost
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from charges
    group by {{ grain | join(', ') }}

),

-- whether a service can be committed to is not told: it can where some of it is
committed_services as (

    select distinct
        source,
        billing_period,
        service_name
    from summed
    where committed_cost != 0 or unused_cost != 0

),

rated as (

    select
        summed.*,
        case
            when
                committed_services.service_name is not null
                and summed.committed_list_cost + summed.on_demand_list_cost > 0
                then
                    cast(summed.committed_list_cost as double)
                    / cast(summed.committed_list_cost + summed.on_demand_list_cost as double)
        end as coverage,
        case
            when
                committed_services.service_name is not null
                and summed.committed_list_cost + summed.on_demand_list_cost > 0
                then
                    1 - cast(
                        summed.committed_cost + summed.on_demand_cost + summed.unused_cost
                        as double
                    )
                    / cast(summed.committed_list_cost + summed.on_demand_list_cost as double)
        end as effective_savings_rate
    from summed
    left join committed_services
        on
            summed.source = committed_services.source
            and summed.billing_period = committed_services.billing_period
            and summed.service_name = committed_services.service_name

)

select * from rated
