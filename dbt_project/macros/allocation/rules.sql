{#- Allocation rules as SQL. A rule comes from `var('allocation')` as the settings' file has it:
    texts compare without case, `*` stands for anything, and the empty text for no value. -#}

{#- The tag keys that rules ask or take values from, in lower case, each once. -#}
{% macro asked_tags() %}
    {%- set keys = [] -%}
    {%- for one in var('allocation').rules + var('allocation').shared -%}
        {%- for field in one.when | list + one.unless | list if field.startswith('tags.') -%}
            {%- do keys.append(field[5:] | lower) -%}
        {%- endfor -%}
        {%- for value in (one.set or {}).values() if value.tag -%}
            {%- for key in value.tag -%} {%- do keys.append(key | lower) -%} {%- endfor -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(keys | unique | list) -}}
{% endmacro %}

{#- The column that a rule's field is: tags are columns by their place in `asked_tags`. -#}
{% macro asked_column(field) %}
    {%- if field.startswith('tags.') -%}
        {{- return('asked_tag_' ~ (asked_tags().index(field[5:] | lower) + 1)) -}}
    {%- endif -%}
    {{- return(field) -}}
{% endmacro %}

{#- Whether a column is one of texts. -#}
{% macro is_any_of(column, texts) %}
    {%- set exact, found = [], [] -%}
    {%- for text in texts -%}
        {%- if text == '' -%}
            {%- do found.append(column ~ ' is null') -%}
        {%- elif '*' in text -%}
            {%- set pattern = text | lower | replace('!', '!!') | replace('%', '!%')
                | replace('_', '!_') | replace('*', '%') -%}
            {%- do found.append(
                'lower(' ~ column ~ ') like ' ~ string_literal(pattern) ~ " escape '!'"
            ) -%}
        {%- else -%}
            {%- do exact.append(text | lower) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if exact -%}
        {%- do found.append('lower(' ~ column ~ ') in (' ~ string_literals(exact) ~ ')') -%}
    {%- endif -%}
    {{- return('(' ~ found | join(' or ') ~ ')') -}}
{% endmacro %}

{#- Whether what a rule or a pool asks of a cost holds on the day of its charge. -#}
{% macro fits(one) %}
    {%- set asked = [
        'charge_date between ' ~ date_literal(one.from) ~ ' and ' ~ date_literal(one.until)
    ] -%}
    {%- for field, texts in one.when.items() -%}
        {%- do asked.append('coalesce(' ~ is_any_of(asked_column(field), texts) ~ ', false)') -%}
    {%- endfor -%}
    {%- for field, texts in one.unless.items() -%}
        {%- do asked.append(
            'not coalesce(' ~ is_any_of(asked_column(field), texts) ~ ', false)'
        ) -%}
    {%- endfor -%}
    {{- return(asked | join(' and ')) -}}
{% endmacro %}

{#- The value that a rule gives: a text, or what a tag or a column says, as it is or mapped. -#}
{% macro given_value(value) %}
    {%- if value.text -%} {{- return(string_literal(value.text)) -}} {%- endif -%}
    {%- if value.tag -%}
        {%- set columns = [] -%}
        {%- for key in value.tag -%}
            {%- do columns.append(asked_column('tags.' ~ key)) -%}
        {%- endfor -%}
        {%- do columns.append('null') -%}
        {%- set found = 'coalesce(' ~ columns | join(', ') ~ ')' -%}
    {%- else -%}
        {%- set found = value.column -%}
    {%- endif -%}
    {%- if not value.map -%} {{- return(found) -}} {%- endif -%}
    {%- set cases = [] -%}
    {%- for text, given in value.map.items() -%}
        {%- do cases.append(
            'when ' ~ string_literal(text | lower) ~ ' then ' ~ string_literal(given)
        ) -%}
    {%- endfor -%}
    {{- return('case lower(' ~ found ~ ') ' ~ cases | join(' ') ~ ' end') -}}
{% endmacro %}

{#- What a dimension is by the first rule that gives it a value, else `otherwise`. -#}
{% macro by_first_rule(dimension, otherwise) %}
    {%- set given = [] -%}
    {%- for rule in var('allocation').rules if rule.set[dimension] -%}
        {%- do given.append(
            'case when ' ~ fits(rule) ~ ' then ' ~ given_value(rule.set[dimension]) ~ ' end'
        ) -%}
    {%- endfor -%}
    {{- return('coalesce(' ~ (given + [otherwise]) | join(', ') ~ ', null)') -}}
{% endmacro %}

{#- Name of the rule that gave a dimension its value, else `otherwise`. -#}
{% macro first_rule(dimension, otherwise) %}
    {%- set given = [] -%}
    {%- for rule in var('allocation').rules if rule.set[dimension] -%}
        {%- do given.append(
            'case when ' ~ fits(rule) ~ ' and ' ~ given_value(rule.set[dimension])
            ~ ' is not null then ' ~ string_literal(rule.name) ~ ' end'
        ) -%}
    {%- endfor -%}
    {{- return('coalesce(' ~ (given + [otherwise]) | join(', ') ~ ', null)') -}}
{% endmacro %}

{#- Name of the first shared pool that a cost fits. -#}
{% macro first_pool() %}
    {%- set found = [] -%}
    {%- for pool in var('allocation').shared -%}
        {%- do found.append(
            'case when ' ~ fits(pool) ~ ' then ' ~ string_literal(pool.name) ~ ' end'
        ) -%}
    {%- endfor -%}
    {%- do found.append('cast(null as ' ~ dbt.type_string() ~ ')') -%}
    {{- return('coalesce(' ~ found | join(', ') ~ ', null)') -}}
{% endmacro %}

{#- Whether one of whom `drivers` tells may pay for the pool in a column. -#}
{% macro may_pay(pool_column) %}
    {%- set asked = [] -%}
    {%- for pool in var('allocation').shared if pool.among -%}
        {%- set narrowed = [] -%}
        {%- for dimension, texts in pool.among.items() -%}
            {%- do narrowed.append(
                'coalesce(' ~ is_any_of('drivers.' ~ dimension, texts) ~ ', false)'
            ) -%}
        {%- endfor -%}
        {%- do asked.append(
            '(' ~ pool_column ~ ' != ' ~ string_literal(pool.name) ~ ' or ('
            ~ narrowed | join(' and ') ~ '))'
        ) -%}
    {%- endfor -%}
    {{- return((asked or ['true']) | join(' and ')) -}}
{% endmacro %}

{#- Columns of a daily cost that allocation leaves as they are. -#}
{% macro cost_columns() %}
    {{- return([
        'source', 'billing_period', 'charge_date', 'provider_name', 'billing_account_id',
        'sub_account_id', 'sub_account_name', 'service_category', 'service_name', 'region_id',
        'resource_id', 'resource_name', 'resource_type', 'resource', 'namespace',
        'charge_category', 'charge_class', 'sku_id', 'sku_meter', 'consumed_unit',
        'commitment_discount_status', 'billing_currency', 'cluster', 'cost_part',
    ]) -}}
{% endmacro %}

{#- The costs that are allocated, each to the last digit. -#}
{% macro cost_metrics() %}
    {{- return(['billed_cost', 'effective_cost', 'list_cost', 'contracted_cost']) -}}
{% endmacro %}

{#- What a cost is allocated to. -#}
{% macro dimensions() %}
    {{- return(['business_unit', 'team', 'product', 'environment', 'cost_center']) -}}
{% endmacro %}
