"""A simulated estate: bills, telemetry, models and a Git repository, with the truth about them.

Only what is needed to start is imported here; it must be able to judge engines, so it knows none.
"""

from finops_dagster.demo.estate import DemoSummary, Exposed, advance, create, expose

__all__ = ["DemoSummary", "Exposed", "advance", "create", "expose"]
