"""What is expected of the marts that the ledger tells people, as data.

How it is judged is in `audit`.
"""

from __future__ import annotations

from finops_dagster.quality.checks import Suite, between, names, not_null

VIOLATIONS = Suite(
    table="fct_policy_violations",
    partition="day",
    grain=("resource", "rule_id", "first_day", "currency"),
    columns=names(
        "id day resource seen owner environment rule_id title decision actual limit fix file "
        "currency cost_per_month age_days stands first_day changed_day ended_day"
    ),
    money=("cost_per_month",),
    checks=(
        *not_null("id", "day", "resource", "seen", "rule_id", "decision", "age_days", "first_day"),
        *not_null("currency", where="cost_per_month is not null"),
        *between("age_days", low=0),
    ),
    always_filled=False,
)
