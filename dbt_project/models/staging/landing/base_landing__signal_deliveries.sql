{{ config(materialized='table', tags=['signals']) }}

{{ deliveries_in_force([
    source('telemetry', 'measurements'),
    source('carbon', 'intensities'),
    source('models', 'predictions'),
    source('models', 'labels'),
]) }}
