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


{#- The rows of one landing table that belong to deliveries in force. -#}
{% macro rows_in_force(rows, deliveries, table) -%}
select {{ rows }}.*
from {{ rows }}
inner join {{ deliveries }}
    on
        {{ rows }}.source = {{ deliveries }}.source
        and {{ rows }}.partition_date = {{ deliveries }}.partition_date
        and {{ rows }}.delivery_id = {{ deliveries }}.delivery_id
where {{ deliveries }}.landing_table = '{{ table }}'
{%- endmacro %}
