"""Change sets and pull requests, for the newest decided day alone.

What is written where lives in gitops; this stage decides only whether to act.
"""

import dagster as dg

from finops_dagster.defs.decision.assets import VERDICTS
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import CLOCK_TAG, PUBLISH_JOB
from finops_dagster.defs.metadata import records_table
from finops_dagster.defs.shared import FORGE_POOL, RETRY

CHANGE_SETS = dg.AssetKey(["gitops", "change_sets"])
PULL_REQUESTS = dg.AssetKey(["gitops", "pull_requests"])
