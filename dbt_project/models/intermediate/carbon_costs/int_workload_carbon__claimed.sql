with

workloads as (

    select * from {{ ref('stg_in_force__workload_carbon_daily') }}

),

costs as (

    select * from {{ ref('int_costs__estimated') }}

),

clusters as (

    select * from {{ ref('int_clusters__measured') }}
    where reason is null

),

-- a charge that names no cluster is of the only one that has its workload
named as (

    select
        workloads.*,
        count(*) over (partition by workloads.day, workloads.resource) as clusters_of_name,
        clusters.cluster is not null as is_of_nodes
    from workloads
    left join clusters on workloads.cluster = clusters.cluster and workloads.day = clusters.day

),

-- what is billed of a day in another month is too late for what the month of the day was given
billed as (

    select distinct
        costs.charge_date,
        costs.resource,
        costs.cluster
    from costs
    where
        costs.resource is not null
        and {{ draws_what_is_measured('costs') }}
        and costs.billing_period = {{ dbt.date_trunc('month', 'costs.charge_date') }}

),

charged as (

    select distinct
        named.day,
        named.cluster,
        named.resource
    from named
    inner join billed
        on
            named.day = billed.charge_date
            and named.resource = billed.resource
            and {{ is_of_workload('billed', 'named') }}

),

final as (

    select
        named.day,
        named.cluster,
        named.resource,
        named.clusters_of_name,
        named.location_reason,
        {% for metric in carbon_metrics() -%}
        named.{{ metric }},
        {% endfor -%}
        case
            when named.is_of_nodes then 'nodes'
            when charged.day is not null then 'charges'
            else 'nobody'
        end as claimed_by
    from named
    left join charged
        on
            named.day = charged.day
            and named.cluster = charged.cluster
            and named.resource = charged.resource

)

select * from final
