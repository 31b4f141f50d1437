"""Great Expectations over landed deliveries and candidate marts: data in, outcomes out.

What to expect of each table is data in `suites`; nothing here stops a run or publishes.
"""

from finops_dagster.quality.audit import judge_candidates, judge_landing
from finops_dagster.quality.outcomes import AuditContext, AuditResult, LandingLimits, Outcome

__all__ = [
    "AuditContext",
    "AuditResult",
    "LandingLimits",
    "Outcome",
    "judge_candidates",
    "judge_landing",
]
