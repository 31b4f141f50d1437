with

measured as (

    select * from {{ ref('fct_workload_matches') }}

),

billed as (

    select
        workload as resource,
        billing_currency,
        max(owner) as owner,
        {{ money_sum('effective_cost', ['billing_currency']) }} as effective_cost,
        -- a rule that could not tell which declaration it is found some
        max(case when rule is null then 0 else 1 end) = 1 as is_declared,
        min(reason) as reason,
        min(first_date) as first_date,
        max(last_date) as last_date
    from {{ ref('fct_resource_matches') }}
    where workload is not null
    group by workload, billing_currency

),

-- without a repository nothing is declared, and nothing can be told of it
known as (

    select count(*) as resources from {{ ref('stg_desired_state__resources') }}

),

ignored as (

    {{ value_rows(var('matching')['ignored_namespaces'], 'namespace') | indent(4) }}

),

joined as (

    select
        coalesce(measured.resource, billed.resource) as resource,
        measured.cluster,
        billed.owner,
        billed.billing_currency,
        coalesce(measured.reason, billed.reason) as reason,
        billed.effective_cost,
        coalesce(measured.days_seen, 0) as days_seen,
        measured.resource is not null as is_measured,
        billed.resource is not null as is_billed,
        coalesce(measured.uses_gpu, false) as uses_gpu,
        coalesce(measured.first_day, billed.first_date) as first_day,
        coalesce(measured.last_day, billed.last_date) as last_day
    from measured
    full outer join billed
        on measured.resource = billed.resource
    cross join known
    where
        known.resources > 0
        and measured.rule is null
        and not coalesce(billed.is_declared, false)

),

final as (

    select
        -- ids and times of the grain
        {{ date_literal(var('last_day')) }} as day,
        joined.resource,

        -- strings
        joined.cluster,
        joined.owner,
        joined.billing_currency,
        case when joined.uses_gpu then 'shadow_ai' else 'drift' end as kind_of,
        joined.reason,

        -- numbers
        joined.effective_cost,
        cast(joined.days_seen as bigint) as days_seen,

        -- booleans
        joined.is_measured,
        joined.is_billed,

        -- times
        joined.first_day,
        joined.last_day

    from joined
    left join ignored
        on {{ dbt.split_part('joined.resource', "'/'", 2) }} = ignored.namespace
    where ignored.namespace is null

)

select * from final
