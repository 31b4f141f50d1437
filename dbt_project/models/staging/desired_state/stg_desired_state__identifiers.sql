with

declared as (

    select * from {{ published(source('desired_state', 'declared_identifiers')) }}

),

final as (

    select
        resource,
        lower(identifier) as identifier
    from declared

)

select distinct * from final
