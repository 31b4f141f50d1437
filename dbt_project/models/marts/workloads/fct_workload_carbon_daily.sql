{#- The weakest of the ways in which hours of a day are known, weakest last. -#}
{%- set bases = ['measured', 'estimated', 'interpolated', 'yearly'] -%}
with

energy as (

    select * from {{ ref('int_energy__estimated') }}

),

intensities as (

    select * from {{ ref('int_intensities__pivoted') }}

),

emitted as (

    select
        energy.day,
        energy.resource,
        energy.cluster,
        energy.region,
        energy.energy_kwh,
        energy.energy_low_kwh,
        energy.energy_high_kwh,
        energy.measured_kwh,
        {% for accounting in ['location', 'market'] -%}
        energy.energy_kwh * intensities.{{ accounting }}_gco2e_per_kwh as {{ accounting }}_gco2e,
        energy.energy_low_kwh * intensities.{{ accounting }}_low_gco2e_per_kwh
            as {{ accounting }}_low_gco2e,
        energy.energy_high_kwh * intensities.{{ accounting }}_high_gco2e_per_kwh
            as {{ accounting }}_high_gco2e,
        case
            when intensities.{{ accounting }}_gco2e_per_kwh is not null then energy.energy_kwh
        end as {{ accounting }}_covered_kwh,
        case intensities.{{ accounting }}_basis
            {% for basis in bases -%}
            when '{{ basis }}' then {{ loop.index }}
            {% endfor -%}
        end as {{ accounting }}_basis_place,
        case
            when energy.region is null then 'the settings name no region of its cluster'
            else intensities.{{ accounting }}_reason
        end as {{ accounting }}_hour_reason
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from energy
    left join intensities
        on
            energy.region = intensities.region
            and energy.hour = intensities.hour

),

-- a day with an hour of unknown intensity has unknown emissions, not smaller ones
by_day as (

    select
        day,
        resource,
        cluster,
        region,
        {{ steady_sum('energy_kwh') }} as energy_kwh,
        {{ steady_sum('energy_low_kwh') }} as energy_low_kwh,
        {{ steady_sum('energy_high_kwh') }} as energy_high_kwh,
        {{ steady_sum('measured_kwh') }} / nullif({{ steady_sum('energy_kwh') }}, 0)
            as energy_measured_share,
        {% for accounting in ['location', 'market'] -%}
        {% for column in [accounting ~ '_gco2e', accounting ~ '_low_gco2e',
            accounting ~ '_high_gco2e'] -%}
        case
            when count(*) = count({{ accounting }}_gco2e) then {{ steady_sum(column) }}
        end as {{ column }},
        {% endfor -%}
        case
            when {{ steady_sum('energy_kwh') }} > 0
                then
                    coalesce({{ steady_sum(accounting ~ '_covered_kwh') }}, 0)
                    / {{ steady_sum('energy_kwh') }}
            else cast(count({{ accounting }}_gco2e) as double) / count(*)
        end as {{ accounting }}_coverage,
        case
            when count(*) = count({{ accounting }}_gco2e)
                then case max({{ accounting }}_basis_place)
                    {% for basis in bases -%}
                    when {{ loop.index }} then '{{ basis }}'
                    {% endfor -%}
                end
        end as {{ accounting }}_basis,
        max({{ accounting }}_hour_reason) as {{ accounting }}_reason
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from emitted
    group by day, resource, cluster, region

)

select * from by_day
