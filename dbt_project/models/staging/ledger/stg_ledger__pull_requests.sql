with

exported as (

    select * from {{ ledger_export(source('ledger', 'pull_requests')) }}

)

select * from exported
