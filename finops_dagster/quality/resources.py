"""What is expected of the joined marts of a day, as data. How it is judged is in `audit`.

All may rightly be empty: where nothing was billed, measured or declared, nothing is joined.
"""

from __future__ import annotations

from finops_dagster.quality.checks import Suite, between, names, not_null

_BILLED = names(
    "source billing_account_id sub_account_id region_id resource_id provider_name service_name "
    "resource_name resource_type workload environment billing_currency"
)

MATCHES = Suite(
    table="fct_resource_matches",
    partition="day",
    grain=("day", *_BILLED, "team"),
    columns=(
        "day",
        *_BILLED,
        *names("team declared_resource rule reason owner owner_from confidence effective_cost"),
    ),
    money=("effective_cost",),
    checks=(
        *not_null("day", "source", "billing_currency", "effective_cost", "reason"),
        *not_null("confidence", where="declared_resource is not null"),
        *between("confidence", high=1),
    ),
    always_filled=False,
)

WORKLOADS = Suite(
    table="fct_workload_matches",
    partition="day",
    grain=("day", "resource"),
    columns=names("day resource cluster declared_resource rule reason confidence days_seen"),
    checks=(
        *not_null("day", "resource", "cluster", "reason", "days_seen"),
        *not_null("confidence", where="declared_resource is not null"),
        *between("confidence", high=1),
        *between("days_seen", low=1),
    ),
    always_filled=False,
)

UNOWNED = Suite(
    table="fct_unowned_costs",
    partition="day",
    grain=("day", *_BILLED),
    columns=("day", *_BILLED, "declared_resource", "reason", "effective_cost"),
    money=("effective_cost",),
    checks=not_null("day", "source", "billing_currency", "effective_cost", "reason"),
    always_filled=False,
)

UNDECLARED = Suite(
    table="fct_undeclared_resources",
    partition="day",
    grain=("day", "resource", "billing_currency"),
    columns=names(
        "day resource cluster owner billing_currency kind_of reason effective_cost days_seen "
        "is_measured is_billed first_day last_day"
    ),
    checks=not_null("day", "resource", "kind_of", "reason", "is_measured", "is_billed"),
    always_filled=False,
)

UNSEEN = Suite(
    table="fct_unseen_declarations",
    partition="day",
    grain=("day", "resource"),
    columns=names("day resource owner environment file reason replicas"),
    checks=not_null("day", "resource", "file", "reason"),
    always_filled=False,
)
