with

exported as (

    select * from {{ ledger_export(source('ledger', 'policy_violations')) }}

)

select * from exported
