"""What the rules of GPUs in use say of themselves.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants
from finops_dagster.engines.optimisation import (
    checkpoints,
    gpu_needs,
    gpu_sharing,
    gpu_smaller,
    gpu_spot,
    gpu_use,
    underused_gpus,
)
from finops_dagster.engines.optimisation.inputs import ENGINE

GPUS = EngineDescription(
    name="gpu-use",
    title="GPUs used too little or paid too dearly",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="Fewer GPUs, a part of one or a cheaper model for what is used little; spot prices for "
    "training that keeps checkpoints.",
    method="Needs of compute and memory by the busiest intervals, against GPUs whose price the "
    "bill shows; spot by the prices really billed and the cost of work done twice after an "
    "interruption.",
    features=gpu_use.GPU_COLUMNS,
    parameters=constants(
        underused_gpus, gpu_needs, gpu_sharing, gpu_smaller, gpu_spot, checkpoints
    ),
    limits=(
        "Nothing smaller is proposed of what was not measured: memory that does not fit ends a "
        "program.",
        "Never spot for what serves, and no list price: only prices that the bill has seen.",
    ),
    modules=("finops_dagster.engines.optimisation.underused_gpus",
             "finops_dagster.engines.optimisation.gpu_spot"),
    finds=frozenset({FindingKind.UNDERUSED_GPU, FindingKind.GPU_SPOT}),
)  # fmt: skip
