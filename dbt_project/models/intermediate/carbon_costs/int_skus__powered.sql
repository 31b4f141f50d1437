{%- set text = "lower(concat_ws(' ', sku_meter, charge_description))" -%}

with

skus as (

    select * from {{ ref('stg_in_force__skus') }}

),

units as (

    select * from {{ ref('consumed_units') }}

),

of_provider as (

    select * from {{ ref('int_coefficients__pivoted') }}
    where bound = 'mid'

),

shared as (

    select * from {{ ref('int_coefficients__shared') }}

),

gpus as (

    select
        replace(replace(coefficient, 'gpu_', ''), '_max_watts', '') as gpu_model,
        value as gpu_watts
    from {{ ref('carbon_coefficients') }}
    where provider = 'any' and coefficient like 'gpu!_%' escape '!'

),

families as (

    select
        families.family,
        watts.idle_watts / watts.vcpus as min_watts_per_vcpu,
        watts.full_watts / watts.vcpus as max_watts_per_vcpu
    from {{ ref('instance_families') }} as families
    inner join {{ ref('cpu_watts') }} as watts
        on families.microarchitecture = watts.microarchitecture

),

measured as (

    select
        skus.*,
        units.measure,
        units.amount,
        {{ text }} as told,
        coalesce(nullif({{ provider_named('skus.provider_name') }}, 'oci'), 'unknown') as provider,
        skus.service_category = 'Storage'
        or {{ text }} like '%storage%'
        or {{ text }} like '%capacity%' as is_storage
    from skus
    left join units on lower(skus.consumed_unit) = units.unit

),

kinds as (

    select
        *,
        case
            when measure = 'core_hours' then 'cores'
            when measure = 'gpu_hours' then 'gpus'
            when measure = 'gib_months' then 'storage'
            when measure = 'gib_hours' and is_storage then 'storage'
            when measure = 'gib_hours' then 'memory'
            when
                measure = 'gb'
                and (
                    service_category = 'Networking'
                    or told like '%transfer%'
                    or told like '%egress%'
                    or told like '%bandwidth%'
                )
                then 'network'
            when measure = 'hours' and (instance_type is not null or core_count is not null)
                then 'machine'
            when measure = 'hours' and service_category = 'Compute' and told like '%core%'
                then 'cores'
            when measure = 'hours' and told like '%vcpu%' then 'cores'
        end as kind,
        case
            when service_subcategory in ('Object Storage', 'Backup Storage') then true
            when service_subcategory is not null then false
            else
                lower(service_name) like '%s3%'
                or lower(service_name) like '%simple storage%'
                or lower(service_name) = 'cloud storage'
                or told like '%blob%'
                or told like '%snapshot%'
        end as is_object,
        coalesce(gpu_model, {{ gpu_in('told') }}) as gpu
    from measured

),

joined as (

    select
        kinds.*,
        shared.*,
        gpus.gpu_watts,
        of_provider.memory_kwh_per_gb_hour,
        of_provider.power_usage_effectiveness,
        coalesce(families.min_watts_per_vcpu, of_provider.min_watts_per_vcpu) as idle_watts,
        coalesce(families.max_watts_per_vcpu, of_provider.max_watts_per_vcpu) as full_watts,
        case
            when lower(kinds.disk_type) like '%hdd%' then true
            when kinds.disk_type is not null then false
            when
                kinds.told like '%ssd%' or kinds.told like '%gp2%' or kinds.told like '%gp3%'
                then false
            when kinds.told like '%hdd%' or kinds.told like '%magnetic%' then true
            else kinds.is_object
        end as is_hdd
    from kinds
    cross join shared
    inner join of_provider on kinds.provider = of_provider.provider
    left join families on kinds.instance_family = families.family
    left join gpus on kinds.gpu = gpus.gpu_model

),

-- of one of its own units: a machine's, core's, GiB's or GPU's hour, a GiB's hour kept, a GB moved
powers as (

    select
        *,
        (idle_watts + cpu_utilisation_share * (full_watts - idle_watts)) / 1000 as core_kwh,
        gpu_watts * cpu_utilisation_share / 1000 as gpu_kwh,
        1.073741824 / 1000 as tb_of_gib,
        case when is_object then object_storage_copies else block_storage_copies end as copies,
        case when is_hdd then hdd_wh_per_tb_hour else ssd_wh_per_tb_hour end / 1000
            as kwh_of_tb_hour,
        case when not is_hdd then ssd_tb_hour_gco2e end as made_of_tb_hour
    from joined

),

judged as (

    select
        *,
        case kind
            when 'cores' then core_kwh
            when 'memory' then memory_kwh_per_gb_hour
            when 'gpus' then gpu_kwh
            when 'storage' then tb_of_gib * copies * kwh_of_tb_hour
            when 'network' then network_kwh_per_gb
            when 'machine'
                then
                    core_count * core_kwh
                    + memory_gib * memory_kwh_per_gb_hour
                    + case when gpu_count > 0 then gpu_count * gpu_kwh else 0 end
        end as kwh,
        case kind
            when 'cores' then core_hour_gco2e
            when 'memory' then 0
            when 'storage' then tb_of_gib * copies * made_of_tb_hour
            when 'machine' then core_count * core_hour_gco2e
        end as embodied,
        amount * case when measure = 'gib_months' then hours_of_month else 1 end as units
    from powers

),

final as (

    select
        source,
        billing_period,
        provider_name,
        service_category,
        service_name,
        sku_id,
        sku_meter,
        consumed_unit,
        kind,
        units * kwh * power_usage_effectiveness as kwh_per_unit,
        units * embodied as embodied_gco2e_per_unit,
        case
            when kwh is not null then null
            when kind = 'machine' and core_count is null
                then 'how many cores its instance type has is not known'
            when kind = 'machine' and memory_gib is null
                then 'how much memory its instance type has is not known'
            when kind in ('machine', 'gpus') then 'the power of its GPUs is not known'
            else 'its unit is of nothing whose power is known'
        end as reason
    from judged

)

select * from final
