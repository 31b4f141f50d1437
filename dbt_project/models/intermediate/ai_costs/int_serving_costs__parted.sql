{%- set costs = ['billed_cost', 'effective_cost', 'idle_billed_cost', 'idle_effective_cost'] -%}
{%- set whole = ['day', 'resource', 'billing_currency'] -%}

with

wholes as (

    select * from {{ ref('int_workload_costs__left') }}

),

serving as (

    select * from {{ ref('int_workloads__serving') }}
    where serves = 'predictions'

),

answers as (

    select * from {{ ref('stg_published__model_metrics') }}

),

-- of a workload that answered nothing on a day, its one model
alone as (

    select
        resource,
        case when count(*) = 1 then max(model) end as model
    from serving
    group by resource

),

answered as (

    select
        answers.day,
        serving.resource,
        answers.model,
        answers.model_version,
        answers.predictions
    from answers
    inner join serving
        on answers.model = serving.model

),

weighed as (

    select
        {% for column in whole -%}
        wholes.{{ column }},
        {% endfor -%}
        wholes.team,
        coalesce(answered.model, alone.model) as model,
        answered.model_version,
        {% for cost in costs -%}
        wholes.{{ cost }} as whole_{{ cost }},
        {% endfor -%}
        cast(
            cast(coalesce(answered.predictions, 1) as double)
            / sum(coalesce(answered.predictions, 1)) over of_whole as decimal(10, 9)
        ) as share,
        row_number() over (
            partition by wholes.day, wholes.resource, wholes.billing_currency
            order by
                answered.predictions desc, answered.model asc, answered.model_version asc
        ) as largest_first
    from wholes
    inner join alone
        on wholes.resource = alone.resource
    left join answered
        on
            wholes.day = answered.day
            and wholes.resource = answered.resource
    window of_whole as (partition by wholes.day, wholes.resource, wholes.billing_currency)

),

final as (

    select
        {{ whole | join(',\n        ') }},
        team,
        model,
        model_version,
        share,
        {% for cost in costs -%}
        {{ received_part('whole_' ~ cost, whole) }} as {{ cost }}{% if not loop.last %},{% endif %}
        {% endfor %}
    from weighed

)

select * from final
