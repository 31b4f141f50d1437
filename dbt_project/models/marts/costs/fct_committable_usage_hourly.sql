{%- set keys = ['source', 'billing_period', 'provider_name', 'service_category', 'service_name'] -%}
{%- set sku = ['sku_id', 'sku_meter', 'consumed_unit'] -%}
{%- set rest = [
    'used_at', 'is_hourly', 'billing_account_id', 'region_id', 'kind', 'commitment_discount_id',
    'billing_currency',
] -%}
{%- set grain = keys + rest -%}
{%- set hourly = '(charge_period_end > charge_period_start'
    ~ ' and charge_period_end <= charge_period_start + interval 1 hour)' -%}
{%- set bound = "(commitment_discount_status is not null"
    ~ " or coalesce(pricing_category, '') = 'Committed')" -%}

with

charges as (

    select
        {{ (keys + sku) | join(',\n        ') }},
        billing_account_id,
        region_id,
        commitment_discount_id,
        billing_currency,
        effective_cost,
        {{ hourly }} as is_hourly,
        case
            when {{ hourly }} then date_trunc('hour', charge_period_start)
            else date_trunc('day', charge_period_start)
        end as used_at,
        case
            when commitment_discount_status = 'Unused' then 'unused'
            when commitment_discount_status = 'Used' or pricing_category = 'Committed'
                then 'committed'
            when pricing_category = 'Dynamic' then 'dynamic'
            -- what is not sold by time is not sold by commitments either, nor is it known when
            when
                charge_period_end > charge_period_start + interval 25 hour
                or not regexp_matches(
                    lower(coalesce(consumed_unit, pricing_unit, '')),
                    '\b(h|hrs?|hours?|minutes?|seconds?)\b'
                )
                then 'other'
            else 'on_demand'
        end as kind,
        -- some exports have 0 where they mean that they do not say
        coalesce(
            case when contracted_cost != 0 or effective_cost = 0 then contracted_cost end,
            case when list_cost != 0 then list_cost end,
            case when not {{ bound }} then effective_cost end
        ) as on_demand_cost
    from {{ ref('stg_focus__charges') }}
    where
        charge_category = 'Usage'
        and service_category in ('Compute', 'Databases', 'Analytics', 'AI and Machine Learning')

),

summed as (

    select
        {{ (grain + sku) | join(',\n        ') }},
        {% for cost in ['effective_cost', 'on_demand_cost'] -%}
        {{ money_sum(cost, grain + sku) }} as {{ cost }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from charges
    group by {{ (grain + sku) | join(', ') }}

),

named as (

    select
        summed.*,
        skus.instance_family
    from summed
    left join {{ ref('dim_skus') }} as skus
        on
            summed.source = skus.source
            and summed.billing_period = skus.billing_period
            and summed.provider_name is not distinct from skus.provider_name
            and summed.service_category is not distinct from skus.service_category
            and summed.service_name is not distinct from skus.service_name
            and summed.sku_id is not distinct from skus.sku_id
            and summed.sku_meter is not distinct from skus.sku_meter
            and summed.consumed_unit is not distinct from skus.consumed_unit

),

final as (

    select
        {{ grain | join(',\n        ') }},
        instance_family,
        {% for cost in ['effective_cost', 'on_demand_cost'] -%}
        {{ money_sum(cost, ['billing_currency']) }} as {{ cost }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from named
    group by {{ grain | join(', ') }}, instance_family

)

select * from final
