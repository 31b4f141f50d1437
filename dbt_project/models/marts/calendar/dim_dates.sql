{{ config(materialized='table') }}

with

days as (

    {{ dbt.date_spine('day', date_literal('2015-01-01'), date_literal('2045-01-01')) | indent(4) }}

),

final as (

    select cast(date_day as date) as date_day from days

)

select * from final
