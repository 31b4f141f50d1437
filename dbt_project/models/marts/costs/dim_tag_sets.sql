with

charges as (

    select distinct
        billing_period,
        {{ map_key('tags') }} as tags_key
    from {{ ref('stg_focus__charges') }}

),

tags_sorted as (

    select
        charges.billing_period,
        {{ tag_entries(map_of_key('charges.tags_key')) }} as tag_entries
    from charges

),

tag_sets as (

    select distinct
        billing_period,
        {{ tag_set_id('tag_entries') }} as tag_set_id,
        tag_entries
    from tags_sorted

),

tags as (

    select
        billing_period,
        tag_set_id,
        {{ each_tag('tag_entries') }} as tag
    from tag_sets
    where tag_set_id is not null

),

read as (

    select
        billing_period,
        tag_set_id,
        {{ tag_field('tag', 'key') }} as written_key,
        {{ tag_field('tag', 'value') }} as tag_value
    from tags

),

-- of keys that differ in case alone the first in byte order counts, as everywhere
ranked as (

    select
        billing_period,
        tag_set_id,
        lower(written_key) as tag_key,
        trim(tag_value) as tag_value,
        row_number() over (
            partition by billing_period, tag_set_id, lower(written_key) order by written_key
        ) as first_of_key
    from read

),

final as (

    select
        billing_period,
        tag_set_id,
        tag_key,
        tag_value
    from ranked
    where first_of_key = 1

)

select * from final
