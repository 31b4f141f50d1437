{{ config(materialized='table') }}

{%- set group = ['workload_day', 'workload_cluster', 'workload'] -%}
{%- set order = ['weight desc', 'source', 'billing_account_id', 'sub_account_id', 'resource_id',
    'service_name', 'sku_id', 'sku_meter', 'consumed_unit', 'charge_class',
    'commitment_discount_status', 'billing_currency', 'tag_set_id', 'effective_cost',
    'consumed_quantity'] -%}

with

costs as (

    select * from {{ ref('int_costs__estimated') }}

),

workloads as (

    select * from {{ ref('int_workload_carbon__claimed') }}
    where claimed_by = 'charges'

),

matched as (

    select
        {% for column in daily_cost_columns() -%}
        costs.{{ column }},
        {% endfor -%}
        {% for metric in carbon_metrics() -%}
        costs.{{ metric }} as estimated_{{ metric }},
        workloads.{{ metric }} as measured_{{ metric }},
        {% endfor -%}
        costs.energy_reason,
        costs.location_reason,
        workloads.location_reason as measured_reason,
        workloads.day as workload_day,
        workloads.cluster as workload_cluster,
        workloads.resource as workload,
        case
            when workloads.day is null then 'estimated'
            when costs.billing_period = {{ dbt.date_trunc('month', 'costs.charge_date') }}
                then 'measured'
            else 'late'
        end as told
    from costs
    left join workloads
        on
            costs.charge_date = workloads.day
            and costs.resource = workloads.resource
            and {{ is_of_workload('costs', 'workloads') }}
            and {{ draws_what_is_measured('costs') }}

),

weighed as (

    select
        *,
        greatest(coalesce(estimated_energy_kwh, 0), 0) as weight,
        sum(greatest(coalesce(estimated_energy_kwh, 0), 0)) over (
            partition by {{ group | join(', ') }}
        ) as whole_weight,
        count(*) over (partition by {{ group | join(', ') }}) as charges_of_workload
    from matched
    where told = 'measured'

),

-- of a workload whose charges tell nothing of what they draw, each is as much as another
shared as (

    select
        *,
        cast(
            case
                when whole_weight > 0
                    then cast(weight as double) / cast(whole_weight as double)
                else 1 / cast(charges_of_workload as double)
            end as decimal(10, 9)
        ) as share,
        row_number() over (
            partition by {{ group | join(', ') }} order by {{ order | join(', ') }}
        ) as largest_first
    from weighed

),

-- what was measured of a workload stands in place of what its SKUs are estimated to draw
final as (

    select
        {% for column in daily_cost_columns() -%}
        {{ column }},
        {% endfor -%}
        {% for metric in carbon_metrics() -%}
        cast({{ received_part('measured_' ~ metric, group) }} as decimal(38, 20)) as {{ metric }},
        {% endfor -%}
        'measured' as carbon_basis,
        measured_reason as carbon_reason
    from shared
    union all
    select
        {% for column in daily_cost_columns() -%}
        {{ column }},
        {% endfor -%}
        {% for metric in carbon_metrics() -%}
        cast(case when told = 'estimated' then estimated_{{ metric }} end as decimal(38, 20))
            as {{ metric }},
        {% endfor -%}
        case when told = 'estimated' and estimated_energy_kwh is not null then 'estimated' end
            as carbon_basis,
        case
            when told = 'late' then 'told with the charges of the month of its day'
            else coalesce(energy_reason, location_reason)
        end as carbon_reason
    from matched
    where told != 'measured'

)

select * from final
