{#- Of a subject's candidates those of the first rule that has any, and of these the longest name:
    one row per subject. Several that are as good are a reason, not a match: which of them is meant
    would be a guess. Columns: the subject, declared_resource, rule, confidence, reason. -#}
{% macro best_candidates(candidates, subject, relation) -%}
select
    {{ subject }},
    case when count(distinct declared_resource) = 1 then min(declared_resource) end
        as declared_resource,
    min(rule) as rule,
    case when count(distinct declared_resource) = 1 then min(confidence) end as confidence,
    case
        when count(distinct declared_resource) = 1 then min(description)
        else 'It may be any of several declarations, such as '
            || min(declared_resource) || ' and ' || max(declared_resource) || '.'
    end as reason
from (
    select
        {{ candidates }}.{{ subject }},
        {{ candidates }}.declared_resource,
        rules.rule,
        rules.confidence,
        rules.description,
        rank() over (
            partition by {{ candidates }}.{{ subject }}
            order by rules.rank, {{ candidates }}.specificity desc
        ) as place
    from {{ candidates }}
    inner join {{ ref('matching_rules') }} as rules
        on {{ candidates }}.rule = rules.rule and rules.relation = '{{ relation }}'
) as ranked
where place = 1
group by {{ subject }}
{%- endmacro %}


{#- Whether a name is another's and a suffix, as generated names are: `web-7f9c` of `web`. -#}
{% macro under_its_name(name, parent) -%}
substr({{ name }}, 1, {{ dbt.length(parent) }} + 1) = {{ parent }} || '-'
{%- endmacro %}
