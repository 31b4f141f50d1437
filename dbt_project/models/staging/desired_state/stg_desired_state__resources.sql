with

declared as (

    select * from {{ published(source('desired_state', 'declared_resources')) }}

),

final as (

    select
        -- ids
        resource,

        -- strings
        kind,
        namespace,
        name,
        api_version,
        installs_into,
        owner,
        environment,
        region,
        file,

        -- numbers
        replicas

    from declared

)

select * from final
