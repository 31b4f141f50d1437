with

costs as (

    select * from {{ ref('int_costs__owned') }}

),

workloads as (

    select * from {{ ref('stg_in_force__workloads_daily') }}

),

-- a workload is whose its costs of the month are, if they are one team's
owners as (

    select
        billing_period,
        resource,
        min(business_unit) as business_unit,
        min(team) as team,
        min(product) as product,
        min(environment) as environment,
        min(cost_center) as cost_center
    from costs
    where resource is not null and team is not null
    group by billing_period, resource
    having count(distinct team) = 1

),

of_workloads as (

    select
        owners.billing_period,
        cast(null as {{ dbt.type_string() }}) as billing_currency,
        owners.business_unit,
        owners.team,
        owners.product,
        owners.environment,
        owners.cost_center,
        workloads.cluster,
        cast(null as decimal(38, 15)) as effective_cost,
        cast(null as decimal(38, 15)) as billed_cost,
        cast(null as decimal(38, 15)) as list_cost,
        cast(workloads.cpu_core_hours as decimal(38, 15)) as cpu_core_hours,
        cast(workloads.memory_gib_hours as decimal(38, 15)) as memory_gib_hours,
        cast(workloads.gpu_hours as decimal(38, 15)) as gpu_hours
    from workloads
    inner join owners
        on
            workloads.resource = owners.resource
            and workloads.day >= owners.billing_period
            and workloads.day < {{ dbt.dateadd('month', 1, 'owners.billing_period') }}

),

-- what is shared itself drives nothing
of_costs as (

    select
        billing_period,
        billing_currency,
        business_unit,
        team,
        product,
        environment,
        cost_center,
        cluster,
        cast(effective_cost as decimal(38, 15)) as effective_cost,
        cast(billed_cost as decimal(38, 15)) as billed_cost,
        cast(list_cost as decimal(38, 15)) as list_cost,
        cast(null as decimal(38, 15)) as cpu_core_hours,
        cast(null as decimal(38, 15)) as memory_gib_hours,
        cast(null as decimal(38, 15)) as gpu_hours
    from costs
    where team is not null and pool is null

),

final as (

    select * from of_costs
    union all
    select * from of_workloads

)

select * from final
