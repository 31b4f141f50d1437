with

coefficients as (

    select * from {{ ref('carbon_coefficients') }}

),

bounds as (

    select
        provider,
        coefficient,
        'mid' as bound,
        value as amount
    from coefficients
    union all
    select
        provider,
        coefficient,
        'low' as bound,
        low as amount
    from coefficients
    union all
    select
        provider,
        coefficient,
        'high' as bound,
        high as amount
    from coefficients

),

by_provider as (

    select
        provider,
        bound,
        max(case when coefficient = 'min_watts_per_vcpu' then amount end) as min_watts_per_vcpu,
        max(case when coefficient = 'max_watts_per_vcpu' then amount end) as max_watts_per_vcpu,
        max(case when coefficient = 'memory_kwh_per_gb_hour' then amount end)
            as memory_kwh_per_gb_hour,
        max(case when coefficient = 'power_usage_effectiveness' then amount end)
            as power_usage_effectiveness
    from bounds
    where provider != 'any'
    group by provider, bound

),

-- the middle is the mean of the known, the ends are the widest of them
of_unknown_provider as (

    select
        'unknown' as provider,
        bound,
        {{ widest('min_watts_per_vcpu') }} as min_watts_per_vcpu,
        {{ widest('max_watts_per_vcpu') }} as max_watts_per_vcpu,
        {{ widest('memory_kwh_per_gb_hour') }} as memory_kwh_per_gb_hour,
        {{ widest('power_usage_effectiveness') }} as power_usage_effectiveness
    from by_provider
    group by bound

),

every_provider as (

    select * from by_provider
    union all
    select * from of_unknown_provider

)

select * from every_provider
