"""What the advice on commitments says of itself.

The rules themselves live in the modules that are named here.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of
from finops_dagster.engines.optimisation import commit, commitments, committable, terms
from finops_dagster.engines.optimisation.inputs import ENGINE

COMMITMENTS = EngineDescription(
    name="commitments",
    title="Commitments worth buying",
    kind=EngineKind.RULE,
    version=ENGINE,
    purpose="How much of usage to commit to, for how long and paid how, for what the day's other "
    "findings leave to be paid for.",
    method="The newsvendor's critical ratio (Arrow, Harris and Marschak 1951) over levels of "
    "future usage, with the probability of a loss held under a limit.",
    features=("hourly usage on demand", "commitments owned", "prices with and without",
              "the forecast of cost", "the day's other findings"),
    parameters=fields_of(commitments.CommitmentConfig())
    | constants(commit, commitments, committable, terms),
    limits=(
        "Nothing is bought: a person does that.",
        "It abstains where usage certainly falls, or has less history than it asks for.",
        "A plan to leave a provider is not in its usage.",
    ),
    modules=("finops_dagster.engines.optimisation.commit",),
    finds=frozenset({FindingKind.COMMITMENT}),
)  # fmt: skip
