{#- Clusters whose nodes are billed: what their cost is made of, and by what it is split. -#}

{#- What nodes are bought for: name -> column of its hours, and its reference price, which counts
    beside the others alone. Prices: OpenCost, configs/default.json. -#}
{% macro node_resources() %}
    {{- return({
        'cpu': {'hours': 'cpu_core_hours', 'price': 0.031611},
        'memory': {'hours': 'memory_gib_hours', 'price': 0.004237},
        'gpu': {'hours': 'gpu_hours', 'price': 0.95},
    }) -}}
{% endmacro %}

{#- What a charge of a cluster is for. Its provider's Kubernetes service is its control plane: AWS
    and others have it in the category of machines, as FOCUS has containers. -#}
{% macro charged_for() -%}
    case
        when lower(service_name) like '%kubernetes%' then 'control_plane'
        when service_category = 'Compute' then 'node'
        when service_category = 'Storage' then 'storage'
        when service_category = 'Networking' then 'network'
        else 'other'
    end
{%- endmacro %}

{#- A sum over what nodes are bought for. `each`: SQL with {} for its name; null counts nothing. -#}
{% macro over_node_resources(each) %}
    {%- set terms = [] -%}
    {%- for name in node_resources() -%}
        {%- do terms.append('coalesce(' ~ each | replace('{}', name) ~ ', 0)') -%}
    {%- endfor -%}
    {{- return(terms | join(' + ')) -}}
{% endmacro %}

{#- What pods may hold of a capacity: all of it where nothing is known to be kept for the system. -#}
{% macro may_be_held(relation, hours) %}
    {%- set column = relation ~ '.' ~ hours -%}
    {%- set may = 'coalesce(' ~ relation ~ '.allocatable_' ~ hours ~ ', ' ~ column ~ ', 0)' -%}
    {{- return('least(' ~ may ~ ', coalesce(' ~ column ~ ', 0))') -}}
{% endmacro %}

{#- Whether everything that the nodes have has a price. -#}
{% macro prices_are_measured() %}
    {%- set each = [] -%}
    {%- for name in node_resources() -%}
        {%- do each.append('(' ~ name ~ '_hourly_cost > 0 or ' ~ name ~ '_capacity = 0)') -%}
    {%- endfor -%}
    {{- return(each | join(' and ')) -}}
{% endmacro %}
