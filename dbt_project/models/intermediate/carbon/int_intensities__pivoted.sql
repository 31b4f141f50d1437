{%- set numbers = ['gco2e_per_kwh', 'low_gco2e_per_kwh', 'high_gco2e_per_kwh'] -%}
with

intensities as (

    select * from {{ ref('fct_grid_intensity_hourly') }}
    where {{ within(day_window()) }} and kind = 'average'

),

pivoted as (

    select
        region,
        hour,
        {% for accounting in ['location', 'market'] -%}
        {% for column in numbers + ['basis', 'reason'] -%}
        max(case when accounting = '{{ accounting }}' then {{ column }} end)
            as {{ accounting }}_{{ column }}
        {%- if not loop.last %},{% endif %}
        {% endfor -%}
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from intensities
    group by region, hour

)

select * from pivoted
