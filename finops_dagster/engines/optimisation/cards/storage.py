"""What the rules of kept data say of themselves.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants
from finops_dagster.engines.optimisation import kept, tiers, volumes
from finops_dagster.engines.optimisation.inputs import ENGINE

STORAGE = EngineDescription(
    name="storage",
    title="Kept data",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Volumes that hold nothing, old snapshots, logs that never end, and objects that could "
    "be kept at a lower price.",
    method="Ages, shares in use and requests a gigabyte by the bill and telemetry, against "
    "thresholds; tiers at the providers' published rules of least size and time.",
    features=("bytes in use of volumes", "age and size of snapshots", "log storage and ingestion",
              "requests and bytes of object storage"),
    parameters=constants(volumes, kept, tiers),
    limits=(
        "How large and how old single objects are is not on a bill.",
        "What a law asks to be kept is not known here: an owner has to say so.",
    ),
    modules=("finops_dagster.engines.optimisation.volumes",
             "finops_dagster.engines.optimisation.kept",
             "finops_dagster.engines.optimisation.tiers"),
    finds=frozenset({
        FindingKind.UNUSED_VOLUME, FindingKind.OLD_SNAPSHOT, FindingKind.LOG_RETENTION,
        FindingKind.STORAGE_TIER,
    }),
)  # fmt: skip
