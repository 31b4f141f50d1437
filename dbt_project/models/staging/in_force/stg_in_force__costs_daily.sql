with

published as (

    select * from {{ published(source('in_force', 'fct_costs_daily')) }}

),

final as (

    select
        -- ids
        source,
        billing_account_id,
        sub_account_id,
        region_id,
        resource_id,
        sku_id,
        tag_set_id,

        -- strings
        provider_name,
        sub_account_name,
        service_category,
        service_name,
        resource_name,
        resource_type,
        resource,
        coalesce(nullif({{ dbt.split_part('resource', "'/'", 2) }}, ''), namespace) as namespace,
        cluster,
        team,
        environment,
        business_unit,
        cost_center,
        charge_category,
        charge_class,
        sku_meter,
        consumed_unit,
        commitment_discount_status,
        billing_currency,

        -- numbers
        billed_cost,
        effective_cost,
        list_cost,
        contracted_cost,
        consumed_quantity,
        charge_count,

        -- times
        billing_period,
        charge_date

    from published
    where {{ within(compared_window()) }}

)

select * from final
