{{ config(materialized='table', tags=['billing']) }}

{{ deliveries_in_force([
    source('focus', 'charges'),
]) }}
