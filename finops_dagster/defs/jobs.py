"""The five jobs and the daily schedule.

A Dagster job has one partitions definition, so months, days and the unpartitioned act are apart.
"""

from __future__ import annotations

import dagster as dg

BILLING_JOB = "ingest_billing"
SIGNALS_JOB = "ingest_signals"
DECIDE_JOB = "decide"
PUBLISH_JOB = "publish_changes"
LEDGER_JOB = "ledger_marts"
