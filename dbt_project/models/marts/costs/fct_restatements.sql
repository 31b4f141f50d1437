{%- set grain = [
    'billing_period', 'source', 'delivery_id', 'service_name', 'billing_account_id',
    'sub_account_id', 'billing_currency', 'charge_class',
] -%}

with

deliveries as (

    select
        source,
        delivery_id,
        known_at,
        {{ adapter.quote('partition') }} as billing_period
    from {{ landing_deliveries([source('focus', 'charges')]) }}
    where known_at <= {{ instant_literal(var('cutoff')) }}

),

-- each delivery with the one of the same bill before it
successive as (

    select
        *,
        lag(delivery_id) over bill as before_delivery_id,
        lag(known_at) over bill as before_known_at
    from deliveries
    window bill as (
        partition by source, billing_period
        order by known_at, delivery_id
    )

),

changes as (

    select * from successive
    where before_delivery_id is not null

),

totals as (

    select * from {{ landing_totals(source('focus', 'charges')) }}

),

sides as (

    {% for side, delivery in {'before': 'before_delivery_id', 'after': 'delivery_id'}.items() -%}
    select
        changes.billing_period,
        changes.source,
        changes.delivery_id,
        changes.known_at,
        changes.before_delivery_id,
        changes.before_known_at,
        totals.service_name,
        totals.billing_account_id,
        totals.sub_account_id,
        totals.billing_currency,
        totals.charge_class,
        {% for metric in ['billed', 'effective'] -%}
        {%- for other in ['before', 'after'] -%}
        {%- set cost = 'totals.' ~ metric ~ '_cost' if other == side else '0' -%}
        {{ cost }} as {{ metric }}_{{ other }},
        {% endfor -%}
        {% endfor -%}
        totals.charge_count
    from changes
    inner join totals
        on
            changes.source = totals.source
            and changes.{{ delivery }} = totals.delivery_id
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

compared as (

    select
        {{ grain | join(',\n        ') }},
        known_at,
        before_delivery_id,
        before_known_at,
        {{ money_sum('billed_before', grain) }} as billed_before,
        {{ money_sum('billed_after', grain) }} as billed_after,
        {{ money_sum('billed_after', grain) }} - {{ money_sum('billed_before', grain) }}
            as billed_difference,
        {{ money_sum('effective_before', grain) }} as effective_before,
        {{ money_sum('effective_after', grain) }} as effective_after,
        {{ money_sum('effective_after', grain) }} - {{ money_sum('effective_before', grain) }}
            as effective_difference,
        -- until a bill's period has ended, each delivery is longer than the one before
        cast(before_known_at as date)
        >= cast({{ dbt.dateadd('month', 1, 'billing_period') }} as date) as after_period_end
    from sides
    group by {{ grain | join(', ') }}, known_at, before_delivery_id, before_known_at

)

select * from compared
where billed_difference != 0 or effective_difference != 0
