{%- set names = ['cpu_utilisation_share', 'server_embodied_kgco2e', 'server_vcpus',
    'server_lifetime_years', 'ssd_embodied_kgco2e_per_tb', 'ssd_wh_per_tb_hour',
    'hdd_wh_per_tb_hour', 'block_storage_copies', 'object_storage_copies', 'hours_of_month',
    'network_kwh_per_gb'] -%}

with

coefficients as (

    select * from {{ ref('carbon_coefficients') }}
    where provider = 'any'

),

pivoted as (

    select
        {{ coefficients_as_columns(names) }}
    from coefficients

),

-- what was emitted to make it, over the hours of its life
final as (

    select
        *,
        1000 * server_embodied_kgco2e / (server_vcpus * server_lifetime_years * 8760)
            as core_hour_gco2e,
        1000 * ssd_embodied_kgco2e_per_tb / (server_lifetime_years * 8760) as ssd_tb_hour_gco2e
    from pivoted

)

select * from final
