{%- set tags = ['team', 'environment', 'business_unit', 'cost_center'] -%}
{%- set grain = ['billing_period', 'charge_date', 'provider_name', 'billing_currency', 'tag'] -%}
{%- set tagged = 'case when tag_value is not null then effective_cost end' -%}
{%- set untagged = 'case when tag_value is null then effective_cost end' -%}

with

costs as (

    select * from {{ ref('fct_costs_daily') }}
    where {{ within(billing_window()) }}

),

tags as (

    {% for tag in tags -%}
    select cast('{{ tag }}' as {{ dbt.type_string() }}) as tag
    {% if not loop.last %}union all{% endif %}
    {% endfor %}

),

cost_by_tag as (

    select
        costs.billing_period,
        costs.charge_date,
        costs.provider_name,
        costs.billing_currency,
        tags.tag,
        costs.effective_cost,
        case tags.tag
            {% for tag in tags -%}
            when '{{ tag }}' then costs.{{ tag }}
            {% endfor -%}
        end as tag_value
    from costs
    cross join tags

),

coverage as (

    select
        {{ grain | join(',\n        ') }},
        coalesce({{ money_sum(tagged, grain) }}, 0) as tagged_cost,
        coalesce({{ money_sum(untagged, grain) }}, 0) as untagged_cost,
        {{ money_sum('effective_cost', grain) }} as total_cost
    from cost_by_tag
    group by {{ grain | join(', ') }}

)

select * from coverage
