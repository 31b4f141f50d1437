with

published as (

    select * from {{ published(source('in_force', 'dim_tag_sets')) }}

),

final as (

    select
        billing_period,
        tag_set_id,
        tag_key,
        tag_value
    from published
    where {{ within(compared_window()) }}

)

select * from final
