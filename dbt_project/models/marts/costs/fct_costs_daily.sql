with

charges as (

    select * from {{ ref('int_charges__allocated') }}

),

summed as (

    select
        -- ids and times of the grain
        source,
        billing_period,
        charge_date,
        provider_name,
        billing_account_id,
        sub_account_id,
        sub_account_name,

        -- strings
        service_category,
        service_name,
        region_id,
        resource_id,
        resource_name,
        resource_type,
        resource,
        namespace,
        cluster,
        team,
        environment,
        business_unit,
        cost_center,
        tag_set_id,
        charge_category,
        charge_class,
        sku_id,
        sku_meter,
        consumed_unit,
        commitment_discount_status,
        billing_currency,
        pricing_currency,

        -- numbers
        {{ money_sum('billed_cost', ['billing_currency']) }} as billed_cost,
        {{ money_sum('effective_cost', ['billing_currency']) }} as effective_cost,
        {{ money_sum('list_cost', ['billing_currency']) }} as list_cost,
        {{ money_sum('contracted_cost', ['billing_currency']) }} as contracted_cost,
        sum(consumed_quantity) as consumed_quantity,
        cast(sum(charge_count) as bigint) as charge_count

    from charges
    group by all

)

select * from summed
