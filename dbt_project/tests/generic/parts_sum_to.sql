{#- For each group, the sum of `part` here is the sum of `whole` in `to`, to the last digit. A group
    that sums to nothing may be missing. -#}
{% test parts_sum_to(model, part, to, whole, by) %}
with

parts as (

    select {{ by | join(', ') }}, sum({{ part }}) as total
    from {{ model }}
    group by {{ by | join(', ') }}
    having sum({{ part }}) != 0

),

wholes as (

    select {{ by | join(', ') }}, sum({{ whole }}) as total
    from {{ get_where_subquery(to) }}
    group by {{ by | join(', ') }}
    having sum({{ whole }}) != 0

)

select *
from (
    select * from parts
    except
    select * from wholes
) as invented
union all
select *
from (
    select * from wholes
    except
    select * from parts
) as lost
{% endtest %}
