{{ config(materialized='table') }}

with

days as (

    {{ dbt.date_spine('day', date_literal('2015-01-01'), date_literal('2045-01-01')) | indent(4) }}

),

final as (

    select
        cast(date_day as date) as date_day,
        cast({{ dbt.date_trunc('month', 'date_day') }} as date) as month_day,
        cast({{ dbt.date_trunc('quarter', 'date_day') }} as date) as quarter_day,
        cast({{ dbt.date_trunc('year', 'date_day') }} as date) as year_day
    from days

)

select * from final
