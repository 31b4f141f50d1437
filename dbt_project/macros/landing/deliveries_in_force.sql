{#- The query of both clocks' base models: which deliveries count, as known at `cutoff`. -#}
{% macro deliveries_in_force(relations) -%}
with

deliveries as (

    select * from {{ landing_deliveries(relations) }}

),

known as (

    select
        {{ adapter.quote('table') }} as landing_table,
        source,
        {{ adapter.quote('partition') }} as partition_date,
        delivery_id,
        rows_landed,
        known_at
    from deliveries
    where known_at <= {{ instant_literal(var('cutoff')) }}

),

ranked as (

    select
        *,
        row_number() over (
            partition by landing_table, source, partition_date
            order by known_at desc, delivery_id desc
        ) as newest_first
    from known

)

select
    landing_table,
    source,
    partition_date,
    delivery_id,
    rows_landed,
    known_at
from ranked
where newest_first = 1
{%- endmacro %}
