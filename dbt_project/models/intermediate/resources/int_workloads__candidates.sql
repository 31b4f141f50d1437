with

measured as (

    select * from {{ ref('int_workloads__measured') }}

),

declared as (

    select * from {{ ref('stg_desired_state__resources') }}

),

generated_kinds as (

    select * from {{ ref('generated_kinds') }}

),

workload_kinds as (

    select * from {{ ref('workload_kinds') }}

),

declared_workloads as (

    select declared.*
    from declared
    inner join workload_kinds
        on declared.kind = workload_kinds.kind

),

alone as (

    select
        kind,
        name,
        min(resource) as resource
    from declared_workloads
    group by kind, name
    having count(*) = 1

),

same_resource as (

    select
        measured.resource,
        declared.resource as declared_resource,
        'same_resource' as rule,
        {{ dbt.length('declared.name') }} as specificity
    from measured
    inner join declared
        on measured.resource = declared.resource

),

generated as (

    select
        measured.resource,
        declared.resource as declared_resource,
        'generated' as rule,
        {{ dbt.length('declared.name') }} as specificity
    from measured
    inner join generated_kinds
        on measured.kind = generated_kinds.generated_kind
    inner join declared
        on
            generated_kinds.declared_kind = declared.kind
            and measured.namespace = declared.namespace
            and {{ under_its_name('measured.name', 'declared.name') }}

),

other_kind as (

    select
        measured.resource,
        declared.resource as declared_resource,
        'other_kind' as rule,
        {{ dbt.length('declared.name') }} as specificity
    from measured
    inner join declared_workloads as declared
        on
            measured.namespace = declared.namespace
            and measured.name = declared.name
            and measured.kind <> declared.kind

),

chart_release as (

    select
        measured.resource,
        declared.resource as declared_resource,
        'chart_release' as rule,
        {{ dbt.length('declared.name') }} as specificity
    from measured
    inner join declared
        on
            measured.namespace = declared.installs_into
            and (
                measured.name = declared.name
                or {{ under_its_name('measured.name', 'declared.name') }}
            )

),

other_namespace as (

    select
        measured.resource,
        alone.resource as declared_resource,
        'other_namespace' as rule,
        {{ dbt.length('alone.name') }} as specificity
    from measured
    inner join alone
        on
            measured.kind = alone.kind
            and measured.name = alone.name
    where measured.resource <> alone.resource

),

custom_resource as (

    select
        measured.resource,
        declared.resource as declared_resource,
        'custom_resource' as rule,
        {{ dbt.length('declared.name') }} as specificity
    from measured
    inner join declared
        on
            measured.namespace = declared.namespace
            and (
                measured.name = declared.name
                or {{ under_its_name('measured.name', 'declared.name') }}
            )
    -- groups of Kubernetes' own kinds have no dot, or end in k8s.io
    where
        declared.api_version like '%.%/%'
        and declared.api_version not like '%k8s.io/%'
        and declared.installs_into is null

),

chart_namespace as (

    select
        measured.resource,
        declared.resource as declared_resource,
        'chart_namespace' as rule,
        0 as specificity
    from measured
    inner join declared
        on measured.namespace = declared.installs_into

),

candidates as (

    select * from same_resource
    union all
    select * from generated
    union all
    select * from other_kind
    union all
    select * from chart_release
    union all
    select * from other_namespace
    union all
    select * from custom_resource
    union all
    select * from chart_namespace

)

select * from candidates
