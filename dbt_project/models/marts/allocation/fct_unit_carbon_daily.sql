with

units as (

    select * from {{ ref('fct_unit_costs_daily') }}
    where {{ within(billing_window()) }}

),

-- what is billed in several currencies is emitted once
summed as (

    select
        billing_period,
        day,
        unit,
        metric,
        per,
        {% for metric in carbon_metrics() -%}
        sum({{ metric }}) as {{ metric }},
        {% endfor -%}
        max(quantity) as quantity,
        max(reason) as reason
    from units
    group by billing_period, day, unit, metric, per

),

judged as (

    select
        *,
        case
            when reason is not null then reason
            when energy_kwh is null then 'nothing is known of the energy of what it costs'
            when location_gco2e is null then 'no intensity of its regions is known'
        end as why
    from summed

)

-- SCI = (E x I + M) / R, by the Software Carbon Intensity specification (ISO/IEC 21031:2024)
select
    billing_period,
    day,
    unit,
    metric,
    per,
    {% for metric in carbon_metrics() -%}
    {{ metric }},
    {% endfor -%}
    quantity,
    case
        when why is null
            then {{ scaled('location_gco2e + coalesce(embodied_gco2e, 0)', 'per', 'quantity') }}
    end as sci,
    why as reason
from judged
