with

averages as (

    select * from {{ ref('int_intensities__filled') }}

),

-- of one kWh more: shown beside, and never what emissions are counted by
marginals as (

    select * from {{ ref('int_intensities__hourly') }}
    where kind = 'marginal'

),

final as (

    select
        day,
        hour,
        region,
        accounting,
        'average' as kind,
        basis,
        reason,
        gco2e_per_kwh,
        low_gco2e_per_kwh,
        high_gco2e_per_kwh
    from averages
    union all
    select
        day,
        hour,
        region,
        accounting,
        kind,
        basis,
        cast(null as {{ dbt.type_string() }}) as reason,
        gco2e_per_kwh,
        low_gco2e_per_kwh,
        high_gco2e_per_kwh
    from marginals

)

select * from final
