"""What the rules of hours and replicas say of themselves.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants
from finops_dagster.engines.optimisation import off_hours, profiles, scaling, window
from finops_dagster.engines.optimisation.inputs import ENGINE

SCHEDULES = EngineDescription(
    name="schedules",
    title="Schedules of workloads",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Hours of the week in which a workload may sleep, and minimum replicas by hour.",
    method="Hours whose busy quantile of CPU stays under a share of the workload's busy level in "
    "every week measured; replicas by the quantiles of demand at each hour of the week, a shortage "
    "weighed by the dial of its tier.",
    features=window.MEASURED,
    parameters=constants(off_hours, scaling, profiles),
    limits=(
        "A week that was not measured is not known: the first weeks tell nothing of month ends.",
        "Who works at odd hours once a quarter is not seen in two weeks.",
    ),
    modules=("finops_dagster.engines.optimisation.off_hours",
             "finops_dagster.engines.optimisation.scaling"),
    finds=frozenset({FindingKind.OFF_HOURS, FindingKind.SCHEDULED_SCALING}),
)  # fmt: skip
