with

published as (

    select * from {{ published(source('in_force', 'dim_skus')) }}

),

final as (

    select
        -- ids
        source,
        sku_id,

        -- strings
        provider_name,
        service_category,
        service_subcategory,
        service_name,
        sku_meter,
        consumed_unit,
        charge_description,
        instance_type,
        instance_family,
        gpu_model,
        disk_type,

        -- numbers
        core_count,
        memory_gib,
        gpu_count,

        -- times
        billing_period

    from published

)

select * from final
