{#- Each delivery in force arrives with as many rows as its record says were landed. -#}
{% test all_landed_rows_arrive(model, deliveries, table, partition) %}
with

arrived as (

    select
        source,
        {{ partition }} as partition_date,
        delivery_id,
        count(*) as row_count
    from {{ model }}
    group by source, {{ partition }}, delivery_id

)

select
    deliveries.source,
    deliveries.partition_date,
    deliveries.delivery_id,
    deliveries.rows_landed,
    coalesce(arrived.row_count, 0) as rows_arrived
from {{ deliveries }} as deliveries
left join arrived
    on
        deliveries.source = arrived.source
        and deliveries.partition_date = arrived.partition_date
        and deliveries.delivery_id = arrived.delivery_id
where
    deliveries.landing_table = '{{ table }}'
    and deliveries.rows_landed != coalesce(arrived.row_count, 0)
{% endtest %}
