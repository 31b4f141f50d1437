"""What the rules of serverless functions say of themselves.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants
from finops_dagster.engines.optimisation import (
    functions,
    provisioned_concurrency,
    serverless_memory,
)
from finops_dagster.engines.optimisation.inputs import ENGINE

SERVERLESS = EngineDescription(
    name="serverless",
    title="Serverless functions",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Memory of functions, by cost and latency together, and provisioned concurrency that "
    "no invocation takes.",
    method="Durations seen at sizes that a function really had; concurrency that holds all but the "
    "rarest peaks of each hour of the week.",
    features=("duration, memory and invocations of functions", "what they are billed",
              "sizes that they have had"),
    parameters=constants(functions, serverless_memory, provisioned_concurrency),
    limits=(
        "A function that has had one size alone tells nothing of another, unless its memory is "
        "measured to be far below what it is given.",
        "Cold starts are not measured: less provisioned concurrency may bring some.",
    ),
    modules=("finops_dagster.engines.optimisation.serverless_memory",
             "finops_dagster.engines.optimisation.provisioned_concurrency"),
    finds=frozenset({FindingKind.SERVERLESS_MEMORY, FindingKind.PROVISIONED_CONCURRENCY}),
)  # fmt: skip
