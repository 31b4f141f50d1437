{#- aws, azure, gcp or oci for a FOCUS ProviderName, or null for any other. -#}
{% macro provider_named(name) -%}
    case
        when lower({{ name }}) like '%amazon%' or lower({{ name }}) = 'aws' then 'aws'
        when lower({{ name }}) like '%microsoft%' or lower({{ name }}) like '%azure%' then 'azure'
        when lower({{ name }}) like '%google%' or lower({{ name }}) = 'gcp' then 'gcp'
        when lower({{ name }}) like '%oracle%' or lower({{ name }}) = 'oci' then 'oci'
    end
{%- endmacro %}
