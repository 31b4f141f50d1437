{%- set month_end -%}
cast({{ dbt.last_day('billing_period', 'month') }} as date)
{%- endset -%}

with

allocated as (

    select * from {{ ref('fct_allocated_costs_daily') }}
    where {{ within(billing_window()) }}

),

-- what is billed for a day of another month is of the nearest day of the month that bills it
summed as (

    select
        source,
        billing_period,
        least(greatest(charge_date, billing_period), {{ month_end }}) as day,
        billing_currency,
        {{ dimensions() | join(',\n        ') }},
        case when charge_category = 'Usage' then 1 else 0 end as is_usage,
        {% for metric in cost_metrics() -%}
        coalesce({{ money_sum(metric, ['billing_currency']) }}, 0) as {{ metric }},
        {% endfor -%}
        {% for metric in carbon_metrics() -%}
        sum({{ metric }}) as {{ metric }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from allocated
    group by all

)

select * from summed
