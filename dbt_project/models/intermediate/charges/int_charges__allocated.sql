with

charges as (

    select * from {{ ref('int_charges__summed') }}

),

tags_sorted as (

    select
        *,
        {{ tag_entries('tags') }} as tag_entries
    from charges

),

tags_named as (

    select
        *,
        {{ tag_names('tag_entries') }} as tag_names
    from tags_sorted

),

tagged as (

    select
        *,
        {% for column, keys in var('tag_keys').items() %}
        {{ tag_value(keys) }} as tag_{{ column }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from tags_named

),

kinds_named as (

    select
        *,
        {{ workload_kind('tag_workload_kind') }} as resource_kind
    from tagged

),

allocated as (

    select
        -- ids
        source,
        billing_account_id,
        sub_account_id,
        region_id,
        resource_id,

        -- strings
        provider_name,
        sub_account_name,
        service_category,
        service_name,
        resource_name,
        resource_type,
        coalesce(
            case
                when
                    tag_namespace not like '%/%'
                    and tag_workload not like '%/%'
                    then resource_kind || '/' || tag_namespace || '/' || tag_workload
            end,
            case
                when
                    tag_claim_namespace not like '%/%'
                    and tag_claim not like '%/%'
                    then 'PersistentVolumeClaim/' || tag_claim_namespace || '/' || tag_claim
            end
        ) as resource,
        coalesce(tag_namespace, tag_claim_namespace) as namespace,
        tag_cluster as cluster,
        tag_team as team,
        tag_environment as environment,
        tag_business_unit as business_unit,
        tag_cost_center as cost_center,
        {{ tag_set_id('tag_entries') }} as tag_set_id,
        charge_category,
        charge_class,
        sku_id,
        sku_meter,
        consumed_unit,
        commitment_discount_status,
        billing_currency,
        pricing_currency,

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

    from kinds_named

)

select * from allocated
