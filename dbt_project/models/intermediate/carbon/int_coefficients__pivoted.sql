with

coefficients as (

    select * from {{ ref('carbon_coefficients') }}

),

by_provider as (

    select
        provider,
        max(case when coefficient = 'min_watts_per_vcpu' then value end) as min_watts_per_vcpu,
        max(case when coefficient = 'max_watts_per_vcpu' then value end) as max_watts_per_vcpu,
        max(case when coefficient = 'memory_kwh_per_gb_hour' then value end)
            as memory_kwh_per_gb_hour,
        max(case when coefficient = 'power_usage_effectiveness' then value end)
            as power_usage_effectiveness
    from coefficients
    group by provider

),

of_unknown_provider as (

    select
        'unknown' as provider,
        avg(min_watts_per_vcpu) as min_watts_per_vcpu,
        avg(max_watts_per_vcpu) as max_watts_per_vcpu,
        avg(memory_kwh_per_gb_hour) as memory_kwh_per_gb_hour,
        avg(power_usage_effectiveness) as power_usage_effectiveness
    from by_provider

),

every_provider as (

    select * from by_provider
    union all
    select * from of_unknown_provider

)

select * from every_provider
