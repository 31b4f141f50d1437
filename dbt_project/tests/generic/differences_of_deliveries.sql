{#- What is in force is what the first delivery said plus every restatement since: the sum of the
    differences of a bill is its last total less its first, to the last digit. -#}
{% test differences_of_deliveries(model) %}
with

deliveries as (

    select
        source,
        delivery_id,
        {{ adapter.quote('partition') }} as billing_period,
        row_number() over (bill order by known_at, delivery_id) as oldest_first,
        row_number() over (bill order by known_at desc, delivery_id desc) as newest_first
    from {{ landing_deliveries([source('focus', 'charges')]) }}
    where known_at <= {{ instant_literal(var('cutoff')) }}
    window bill as (partition by source, {{ adapter.quote('partition') }})

),

totals as (

    select
        totals.*,
        deliveries.billing_period,
        case when deliveries.oldest_first = 1 then 1 else 0 end
        - case when deliveries.newest_first = 1 then 1 else 0 end as sign
    from {{ landing_totals(source('focus', 'charges')) }} as totals
    inner join deliveries
        on
            totals.source = deliveries.source
            and totals.delivery_id = deliveries.delivery_id

),

parts as (

    select
        billing_period,
        source,
        billing_currency,
        case sign when 1 then billed_cost when -1 then -billed_cost else 0 end as billed,
        case sign when 1 then effective_cost when -1 then -effective_cost else 0 end as effective
    from totals
    union all
    select
        billing_period,
        source,
        billing_currency,
        billed_difference,
        effective_difference
    from {{ model }}

)

select
    billing_period,
    source,
    billing_currency,
    sum(billed) as billed_unexplained,
    sum(effective) as effective_unexplained
from parts
group by billing_period, source, billing_currency
having sum(billed) != 0 or sum(effective) != 0
{% endtest %}
