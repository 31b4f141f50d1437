"""Idle and forgotten resources, as the bill tells of them: every judge in turn.

The rules themselves live in the modules that this one calls.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation.bills import Bill
from finops_dagster.engines.optimisation.empty_clusters import empty_clusters
from finops_dagster.engines.optimisation.idle_billed import (
    HOURLY,
    idle_addresses,
    idle_by_hours,
    stopped,
)
from finops_dagster.engines.optimisation.inputs import FindResult
from finops_dagster.engines.optimisation.kept import long_logs, old_snapshots
from finops_dagster.engines.optimisation.tiers import seldom_read

KINDS = frozenset(
    {
        "idle_address", "snapshot", "load_balancer_hours", "gateway_hours", "endpoint_hours",
        "cluster_hours", "database_storage", "log_storage", "object_storage_standard",
        "object_storage_infrequent",
    }
)  # fmt: skip
"""Usage kinds that make a resource one to be judged here."""
HISTORY_KINDS = frozenset(
    {"snapshot", "log_storage", "log_ingestion", "instance_hours", "database_hours"}
)
"""Usage kinds that are looked at over all that is published."""
LOG_SHARE = 0.9
"""Share of the days on which some model must have answered for the log to be held as whole."""


@dataclass(frozen=True)
class BilledEstate:
    """What is billed, and what telemetry adds. Rows after the decided day are not looked at."""

    billed: pd.DataFrame
    """As `Bill` takes it: WINDOW_DAYS of rows of fct_costs_daily with account and usage_kind."""
    days: pd.DataFrame
    """source, day: every day of which a source has billed anything."""
    history: pd.DataFrame
    """resource, kind, month, unit, first_day, last_day, days, quantity, least, greatest: of
    HISTORY_KINDS, by month, over all that is published. `least` and `greatest` are the daily
    quantities of whole days, so without a resource's first and last; NaN where it has none."""
    workloads: pd.DataFrame | None = None
    """day, cluster, namespace of what was measured; None where nothing is."""
    answers: pd.DataFrame | None = None
    """day, model, predictions of the prediction log; None where there is none."""


def zombies(estate: BilledEstate, as_of: date) -> FindResult:
    """Findings and abstentions for `as_of` on what is billed and not used.

    Every saving is the resource's own net cost a month of what would end, or the share of it that
    the finding names. An estate that has no such resources yields nothing at all.
    """
    bill = Bill(estate.billed, estate.days, as_of)
    history = estate.history
    history = history.loc[pd.to_datetime(history["first_day"]) <= pd.Timestamp(as_of)]
    answered, silent = _endpoints(bill, estate.answers)
    judges: list[Callable[[], tuple[list[Finding], list[Abstained]]]] = [
        lambda: idle_addresses(bill),
        lambda: old_snapshots(bill, history),
        lambda: stopped(bill, history),
        lambda: empty_clusters(bill, estate.workloads),
        lambda: long_logs(bill, history),
        lambda: seldom_read(bill),
    ]
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for of in HOURLY:
        endpoint = of.kind is FindingKind.UNUSED_ENDPOINT
        seen = (answered, silent) if endpoint else (frozenset[str](), frozenset[str]())
        found, unjudged = idle_by_hours(bill, of, *seen)
        findings += found
        abstained += unjudged
    for judge in judges:
        found, unjudged = judge()
        findings += found
        abstained += unjudged
    findings.sort(key=lambda f: (f.saving_per_month.currency, -f.saving_per_month.mid, f.id))
    return FindResult(findings=findings, abstained=abstained)


def _endpoints(bill: Bill, answers: pd.DataFrame | None) -> tuple[frozenset[str], frozenset[str]]:
    """Endpoints whose model answered, and those whose model is in the log and did not once.

    An endpoint is a model's where it has its name. A log with gaps tells of no silence.
    """
    if answers is None or answers.empty:
        return frozenset(), frozenset()
    day = pd.to_datetime(answers["day"])
    log = answers.assign(day=day).loc[day <= pd.Timestamp(bill.as_of)]
    known = {str(model) for model in log["model"]}
    answered, silent = set(), set()
    for resource in bill.resources("endpoint_hours"):
        whose = bill.whose[resource]
        name = whose.name or re.split(r"[/:]", whose.resource_id)[-1]
        days = bill.days(resource, 14)
        if name not in known or not days:
            continue
        recent = log.loc[(log["day"] >= days[0]) & (log["predictions"] > 0)]
        if (recent["model"] == name).any():
            answered.add(resource)
        elif recent["day"].nunique() >= LOG_SHARE * len(days):
            silent.add(resource)
    return frozenset(answered), frozenset(silent)
