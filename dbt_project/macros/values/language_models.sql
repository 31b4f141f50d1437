{#- What settings say of language models, as SQL. A model is known by its number in their list. -#}

{#- Every told meter: {number of its model, tokens, service, meter}. -#}
{% macro token_meters() %}
    {%- set meters = [] -%}
    {%- for one in var('language_models') -%}
        {%- set number = loop.index -%}
        {%- for meter in one.meters or [] -%}
            {%- do meters.append(dict(meter, number=number)) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{- return(meters) -}}
{% endmacro %}

{#- Of the first meter that fits a charge: `number` or `tokens`; null where none does. -#}
{% macro of_token_meter(key) %}
    {%- set cases = [] -%}
    {%- for meter in token_meters() -%}
        {%- set value = meter.number if key == 'number' else string_literal(meter[key]) -%}
        {%- do cases.append(
            'when ' ~ is_any_of('service_name', [meter.service]) ~ ' and ('
            ~ is_any_of('sku_meter', [meter.meter]) ~ ' or ' ~ is_any_of('sku_id', [meter.meter])
            ~ ') then ' ~ value
        ) -%}
    {%- endfor -%}
    {%- set data_type = 'integer' if key == 'number' else dbt.type_string() -%}
    {%- set found = 'case ' ~ cases | join(' ') ~ ' end' if cases else 'null' -%}
    {{- return('cast(' ~ found ~ ' as ' ~ data_type ~ ')') -}}
{% endmacro %}

{#- The number of the told model that a provider and a model of token usage are; else null. -#}
{% macro language_model_number(provider, model) %}
    {%- set cases = [] -%}
    {%- for one in var('language_models') -%}
        {%- do cases.append(
            'when ' ~ is_any_of(provider, [one.provider]) ~ ' and '
            ~ is_any_of(model, [one.model] + (one.aliases or [])) ~ ' then ' ~ loop.index
        ) -%}
    {%- endfor -%}
    {%- set found = 'case ' ~ cases | join(' ') ~ ' end' if cases else 'null' -%}
    {{- return('cast(' ~ found ~ ' as integer)') -}}
{% endmacro %}

{#- Tokens in one of a FOCUS unit (a quantity and a plural noun: Tokens, 1000 Tokens, 1M Tokens);
    null where it is no unit of tokens. -#}
{% macro tokens_per_unit(unit) -%}
    case
        when {{ matches('lower(' ~ unit ~ ')', 'tokens?') }} then 1
        when {{ matches('lower(' ~ unit ~ ')', '(1 ?k|1[,. ]?000) ?tokens?') }} then 1000
        when {{ matches('lower(' ~ unit ~ ')', '(1 ?m|1 ?million|1[,. ]?000[,. ]?000) ?tokens?') }}
            then 1000000
    end
{%- endmacro %}

{#- The told models as rows: number, provider, model, resource that answers, and whether cached
    tokens have a meter of their own. -#}
{% macro language_model_rows() %}
    {%- set told = [] -%}
    {%- for one in var('language_models') -%}
        {%- set number = loop.index -%}
        {%- set types = one.meters | default([], true) | map(attribute='tokens') | list -%}
        {%- do told.append(
            [number, one.provider, one.model, one.workload, 'cached_input' in types]
        ) -%}
    {%- endfor -%}
    {%- set string = dbt.type_string() -%}
    {{- return(inline_rows({
        'number': 'integer', 'provider': string, 'model': string, 'resource': string,
        'bills_cached': 'boolean',
    }, told)) -}}
{% endmacro %}
