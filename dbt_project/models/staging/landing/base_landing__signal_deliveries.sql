{{ config(materialized='table', tags=['signals']) }}

{{ deliveries_in_force(['measurements', 'intensities', 'predictions', 'labels']) }}
