"""What the rules of machine and database types say of themselves.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.engines.optimisation import (
    machine_bill,
    machine_moves,
    machine_needs,
    machine_prices,
    machine_sizes,
    machine_types,
)
from finops_dagster.engines.optimisation.inputs import ENGINE, SizingConfig

MACHINES = EngineDescription(
    name="machine-types",
    title="Types of machines and databases",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="The type of machine or database that carries what was needed for less: smaller, of a "
    "newer generation, of another architecture or region; or a larger one where it is short.",
    method="Quantiles of CPU, memory, network, disk and connections over the evidence window "
    "against what types carry, at the prices that the bill or a price file shows.",
    features=machine_needs.USE_COLUMNS,
    parameters=fields_of(SizingConfig())
    | constants(machine_needs, machine_sizes, machine_moves, machine_prices, machine_types,
                machine_bill),
    limits=(
        "Nodes of clusters are not sized here: their autoscaler does that.",
        "Another architecture asks for software built for it, which nobody has checked here.",
        "A type whose price is not known is not proposed.",
    ),
    modules=("finops_dagster.engines.optimisation.machines",),
    finds=frozenset({
        FindingKind.RIGHTSIZE_MACHINE, FindingKind.UNDERPROVISIONED_MACHINE,
        FindingKind.MACHINE_GENERATION, FindingKind.MACHINE_ARCHITECTURE,
        FindingKind.MACHINE_REGION, FindingKind.RIGHTSIZE_DATABASE,
        FindingKind.UNDERPROVISIONED_DATABASE,
    }),
)  # fmt: skip
