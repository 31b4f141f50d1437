with

costs as (

    select * from {{ ref('int_costs__emitted') }}
    where {{ within(billing_window()) }} and charge_category = 'Usage'

),

summed as (

    select
        billing_period,
        source,
        provider_name,
        service_category,
        service_name,
        billing_currency,
        carbon_basis,
        carbon_reason as reason,
        {{ money_sum('effective_cost', ['billing_currency']) }} as effective_cost,
        {% for metric in carbon_metrics() -%}
        sum({{ metric }}) as {{ metric }},
        {% endfor -%}
        cast(sum(charge_count) as bigint) as charge_count
    from costs
    group by
        billing_period,
        source,
        provider_name,
        service_category,
        service_name,
        billing_currency,
        carbon_basis,
        carbon_reason

)

select * from summed
