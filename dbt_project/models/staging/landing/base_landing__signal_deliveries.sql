{{ config(materialized='table', tags=['signals']) }}

{{ deliveries_in_force([
    source('telemetry', 'measurements'),
    source('carbon', 'intensities'),
    source('models', 'predictions'),
    source('models', 'labels'),
    source('runs', 'runs'),
    source('runs', 'model_versions'),
    source('runs', 'token_usage'),
    source('business', 'business_metrics'),
]) }}
