with

in_force as (

    select *
    from {{ landing(
        source('focus', 'charges'), ref('base_landing__billing_deliveries')
    ) }}

),

renamed as (

    select
        -- ids
        source,
        delivery_id,
        allocated_method_id,
        allocated_resource_id,
        billing_account_id,
        capacity_reservation_id,
        commitment_discount_id,
        invoice_detail_id,
        invoice_id,
        region_id,
        resource_id,
        sku_id,
        sku_price_id,
        sub_account_id,

        -- strings
        file,
        allocated_method_details,
        allocated_resource_name,
        availability_zone,
        billing_account_name,
        billing_account_type,
        billing_currency,
        capacity_reservation_status,
        charge_category,
        charge_class,
        charge_description,
        charge_frequency,
        commitment_discount_category,
        commitment_discount_name,
        commitment_discount_status,
        commitment_discount_type,
        commitment_discount_unit,
        commitment_program_eligibility_details,
        consumed_unit,
        contract_applied,
        host_provider_name,
        invoice_issuer_name,
        pricing_category,
        pricing_currency,
        pricing_unit,
        provider_name,
        publisher_name,
        region_name,
        resource_name,
        resource_type,
        service_category,
        service_name,
        service_provider_name,
        service_subcategory,
        sku_meter,
        sku_price_details,
        sub_account_name,
        sub_account_type,

        -- numbers
        row_number,
        billed_cost,
        commitment_discount_quantity,
        consumed_quantity,
        contracted_cost,
        contracted_unit_price,
        effective_cost,
        list_cost,
        list_unit_price,
        pricing_currency_contracted_unit_price,
        pricing_currency_effective_cost,
        pricing_currency_list_unit_price,
        pricing_quantity,

        -- maps
        allocated_tags,
        tags,
        x_columns,

        -- times
        partition_date as billing_period,
        known_at,
        billing_period_start,
        billing_period_end,
        charge_period_start,
        charge_period_end

    from in_force

)

select * from renamed
