with

exported as (

    select * from {{ ledger_export(source('ledger', 'proposals')) }}

)

select * from exported
