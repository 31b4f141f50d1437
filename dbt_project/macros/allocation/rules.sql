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

{#- The value of a workload's label, by the first of these keys that it has. kube-state-metrics writes
    app.kubernetes.io/name and costCenter as app_kubernetes_io_name and cost_center: letters and
    digits are what is left to tell keys by. -#}
{% macro label_called(keys) %}
    {%- set found = [] -%}
    {%- for key in keys -%}
        {%- set plain = modules.re.sub('[^a-z0-9]', '', key | lower) -%}
        {%- do found.append(
            'max(case when plain_label = ' ~ string_literal(plain) ~ ' then label_value end)'
        ) -%}
    {%- endfor -%}
    {{- return('coalesce(' ~ (found + ['null']) | join(', ') ~ ')') -}}
{% endmacro %}

{#- Dimensions that the tag keys of settings tell. -#}
{% macro tagged_dimensions() %}
    {{- return(['team', 'environment', 'business_unit', 'cost_center']) -}}
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

{#- Place in the price list of the first entry that an allocated cost fits. What no team has is
    charged to nobody; a price is for use in its currency and unit that stays where it is. -#}
{% macro first_price() %}
    {%- set found = [] -%}
    {%- for price in var('allocation').price_list -%}
        {%- set asked = ['team is not null', fits(price)] -%}
        {%- if price.price is not none -%}
            {%- do asked.append("line = 'charge' and pool is null and consumed_quantity is not null"
                ~ ' and lower(consumed_unit) = ' ~ string_literal(price.per | lower)
                ~ ' and billing_currency = ' ~ string_literal(price.currency)) -%}
        {%- endif -%}
        {%- do found.append('when ' ~ asked | join(' and ') ~ ' then ' ~ loop.index) -%}
    {%- endfor -%}
    {%- set cases = 'case ' ~ found | join(' ') ~ ' end' if found else 'null' -%}
    {{- return('cast(' ~ cases ~ ' as integer)') -}}
{% endmacro %}

{#- Whether a row of `relation` is of what `number`, a place in `ones`, narrows to: of each of them
    dimension -> texts. `otherwise`: what is made of a dimension that the row has none of. -#}
{% macro is_of(ones, number, relation, otherwise='false') %}
    {%- set asked = [] -%}
    {%- for conditions in ones -%}
        {%- set narrowed = [] -%}
        {%- for dimension, texts in conditions.items() -%}
            {%- set column = relation ~ '.' ~ dimension -%}
            {%- do narrowed.append(
                'coalesce(' ~ is_any_of(column, texts) ~ ', ' ~ otherwise ~ ')'
            ) -%}
        {%- endfor -%}
        {%- if narrowed -%}
            {%- do asked.append(
                '(' ~ number ~ ' != ' ~ loop.index ~ ' or (' ~ narrowed | join(' and ') ~ '))'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {{- return((asked or ['true']) | join(' and ')) -}}
{% endmacro %}

{#- The cost that the column `metric` names, or what of `ones` it names. -#}
{% macro cost_named(metric, ones=none) -%}
    case {{ metric }}
        {%- for one in ones or cost_metrics() %} when '{{ one }}' then {{ one }}{% endfor %} end
{%- endmacro %}

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
