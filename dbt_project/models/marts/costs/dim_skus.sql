{%- set grain = ['source', 'billing_period', 'provider_name', 'service_category', 'service_name',
    'sku_id', 'sku_meter', 'consumed_unit'] -%}

with

charges as (

    select * from {{ ref('stg_focus__charges') }}
    where charge_category = 'Usage'

),

types as (

    select * from {{ ref('instance_types') }}

),

memory as (

    select * from {{ ref('instance_memory') }}

),

usage_kinds as (

    select * from {{ ref('usage_kinds') }}

),

-- all prices of a SKU say the same of it: one is read, not each charge
priced as (

    select
        {{ grain | join(',\n        ') }},
        max(service_subcategory) as service_subcategory,
        max(charge_description) as charge_description,
        -- charges without a SKU are no one thing, unless all say the same
        sku_id is not null or sku_meter is not null
        or count(distinct charge_description) = 1 as is_one_sku,
        max(sku_price_details) as sku_price_details,
        min(cast(charge_period_start as date)) as first_charged_on,
        max(cast(charge_period_start as date)) as last_charged_on,
        count(*) as charge_count
    from charges
    group by {{ grain | join(', ') }}

),

told as (

    select
        *,
        {{ instance_type_in("concat_ws(' ', " ~ [
            json_text('sku_price_details', 'InstanceType'), 'sku_meter', 'charge_description',
        ] | join(', ') ~ ')') }} as instance_type,
        try_cast({{ json_text('sku_price_details', 'CoreCount') }} as double) as core_count,
        try_cast({{ json_text('sku_price_details', 'MemorySize') }} as double) as memory_gib,
        try_cast({{ json_text('sku_price_details', 'GpuCount') }} as double) as gpu_count,
        {{ json_text('sku_price_details', 'DiskType') }} as disk_type,
        {{ json_text('sku_price_details', 'StorageClass') }} as storage_class
    from priced

),

named as (

    select
        *,
        {{ instance_family('instance_type') }} as instance_family,
        {{ vcpus_of('instance_type') }} as named_vcpus
    from told

),

-- the pattern that says more is of fewer types
remembered as (

    select
        named.instance_type,
        memory.gib_per_vcpu,
        row_number() over (
            partition by named.instance_type
            order by length(replace(memory.pattern, '%', '')) desc
        ) as nearest_first
    from (select distinct instance_type from named) as named
    inner join memory on named.instance_type like memory.pattern escape '@'

),

texts as (

    select distinct
        {{ provider_named('provider_name') }} as provider,
        provider_name,
        service_name,
        sku_meter,
        charge_description,
        lower(coalesce(service_name, '')) as service,
        lower(concat_ws(' ', sku_meter, charge_description)) as told
    from named
    where is_one_sku

),

-- a longer text says more of what is used than a longer name of its service
classified as (

    select
        texts.provider_name,
        texts.service_name,
        texts.sku_meter,
        texts.charge_description,
        usage_kinds.usage_kind,
        row_number() over (
            partition by
                texts.provider_name,
                texts.service_name,
                texts.sku_meter,
                texts.charge_description
            order by
                length(replace(usage_kinds.text_pattern, '%', '')) desc,
                length(replace(usage_kinds.service_pattern, '%', '')) desc,
                usage_kinds.usage_kind
        ) as nearest_first
    from texts
    inner join usage_kinds
        on
            texts.provider = usage_kinds.provider
            and texts.service like usage_kinds.service_pattern escape '@'
            and texts.told like usage_kinds.text_pattern escape '@'

),

final as (

    select
        {% for column in grain -%}
        named.{{ column }},
        {% endfor -%}
        named.service_subcategory,
        named.charge_description,
        named.instance_type,
        named.instance_family,
        coalesce(named.core_count, types.vcpus, named.named_vcpus) as core_count,
        coalesce(
            named.memory_gib,
            types.memory_gib,
            named.named_vcpus * remembered.gib_per_vcpu
        ) as memory_gib,
        coalesce(named.gpu_count, types.gpus) as gpu_count,
        types.gpu_model,
        named.disk_type,
        named.storage_class,
        case
            when classified.usage_kind is not null then classified.usage_kind
            when named.instance_type is not null and lower(named.consumed_unit) like '%hour%'
                then case named.service_category
                    when 'Compute' then 'instance_hours'
                    when 'Databases' then 'database_hours'
                end
        end as usage_kind,
        named.first_charged_on,
        named.last_charged_on,
        named.charge_count
    from named
    left join types on named.instance_type = types.instance_type
    left join remembered
        on named.instance_type = remembered.instance_type and remembered.nearest_first = 1
    left join classified
        on
            {{ same('named.provider_name', 'classified.provider_name') }}
            and {{ same('named.service_name', 'classified.service_name') }}
            and {{ same('named.sku_meter', 'classified.sku_meter') }}
            and {{ same('named.charge_description', 'classified.charge_description') }}
            and classified.nearest_first = 1
            and named.is_one_sku

)

select * from final
