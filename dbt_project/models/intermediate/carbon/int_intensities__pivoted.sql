with

intensities as (

    select * from {{ ref('stg_carbon__intensities') }}

),

pivoted as (

    select
        region,
        time as hour,
        {{ steady_mean("case when accounting = 'location' then gco2e_per_kwh end") }}
            as location_gco2e_per_kwh,
        {{ steady_mean("case when accounting = 'market' then gco2e_per_kwh end") }}
            as market_gco2e_per_kwh
    from intensities
    group by region, time

)

select * from pivoted
