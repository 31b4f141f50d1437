{{ config(materialized='table', tags=['billing']) }}

{{ deliveries_in_force(['charges']) }}
