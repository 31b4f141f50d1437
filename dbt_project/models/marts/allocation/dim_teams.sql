with

costs as (

    select * from {{ ref('fct_allocated_costs_daily') }}
    where {{ within(billing_window()) }}

),

declared as (

    select distinct
        team,
        business_unit,
        product,
        cost_center,
        valid_from,
        valid_until
    from {{ ref('int_teams__spelled') }}

),

charged as (

    select
        billing_period,
        team,
        min(charge_date) as first_charged_on,
        max(charge_date) as last_charged_on
    from costs
    where team is not null
    group by billing_period, team

),

-- of a team that the file does not know nothing but its name is known
final as (

    select
        charged.billing_period,
        charged.team,
        declared.business_unit,
        declared.product,
        declared.cost_center,
        greatest(
            coalesce(declared.valid_from, charged.first_charged_on), charged.first_charged_on
        ) as valid_from,
        least(
            coalesce(declared.valid_until, charged.last_charged_on), charged.last_charged_on
        ) as valid_until,
        declared.team is not null as is_declared
    from charged
    left join declared
        on
            charged.team = declared.team
            and charged.first_charged_on <= declared.valid_until
            and charged.last_charged_on >= declared.valid_from

)

select * from final
