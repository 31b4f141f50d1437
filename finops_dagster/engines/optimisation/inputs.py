"""What the optimisation engine is given and what it answers with, as frozen types.

How the answer is found lives elsewhere in this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import pandas as pd

from finops_dagster.domain.decisions import Abstained, Finding
from finops_dagster.engines.optimisation.bounds import Bounds
from finops_dagster.engines.optimisation.risk import DIAL
from finops_dagster.engines.optimisation.rules import Tier
from finops_dagster.engines.optimisation.scalers import Scaling

ENGINE = "optimisation/1"


@dataclass(frozen=True)
class SizingConfig:
    """Windows and limits of finding waste; shares are in [0, 1]."""

    history_days: int = 14
    """Evidence window: the last so many days up to and including as_of."""
    min_history_days: int = 7
    """Less than this between first and last measurement and the engine abstains."""
    max_change_share: float = 0.5
    """A request is cut by at most this share at once."""
    min_change_share: float = 0.25
    """Requests nearer than this to the rule's amount are right as they are: a smaller cut is
    within the error of the rule, and each pull request costs a reviewer's time."""
    dials: Mapping[Tier, float] = field(default_factory=lambda: dict(DIAL))
    """Of each tier, what one more percent of intervals short is worth in percent of a request."""
    max_risk: float = 0.05
    """A cut whose rehearsal was exceeded in more than this share of intervals is not made."""


@dataclass(frozen=True)
class EnergyCoefficients:
    """Watts of reserved capacity; Cloud Carbon Footprint's averages over AWS, Azure and GCP.

    https://www.cloudcarbonfootprint.org/docs/methodology: 0.74 W a vCPU at rest and 3.5 W in
    full use, 0.392 W a GB of memory, power usage effectiveness 1.135.
    """

    cpu_idle_watts_per_core: float = 0.74
    cpu_full_watts_per_core: float = 3.5
    memory_watts_per_gb: float = 0.392
    pue: float = 1.135


@dataclass(frozen=True)
class Context:
    """What is declared, whose it is and what its electricity emits."""

    values: pd.DataFrame
    """resource, field, container, current: every request, limit and replica count declared."""
    resources: frozenset[str]
    """Every declared KIND/NAMESPACE/NAME; empty where no desired state is known."""
    managed: Mapping[str, str]
    """Resources whose replicas or requests something else sets, and what."""
    undeclared: frozenset[str]
    """Workloads that no declaration matches under any rule."""
    unsure: Mapping[str, str]
    """Workloads of which it is not certain whether they are declared, and why."""
    owners: pd.DataFrame
    """resource, owner, environment."""
    intensity: pd.DataFrame
    """resource, gco2e_per_kwh: mean over the evidence window."""
    energy: EnergyCoefficients = field(default_factory=EnergyCoefficients)
    bounds: Bounds = field(default_factory=Bounds)
    scaling: Scaling = field(default_factory=Scaling)
    """Declared autoscalers and schedules."""
    notebooks: frozenset[str] = frozenset()
    """Workloads that people work in: nobody calls them, so idle is abandoned."""


@dataclass(frozen=True)
class FindResult:
    """Findings, best saving first within a currency, and what could not be judged."""

    findings: list[Finding]
    abstained: list[Abstained]


def joined(results: Iterable[FindResult]) -> FindResult:
    """What several judges said, in their order."""
    results = list(results)
    return FindResult(
        findings=[one for result in results for one in result.findings],
        abstained=[one for result in results for one in result.abstained],
    )


def take(
    judged: Finding | Abstained | None, findings: list[Finding], abstained: list[Abstained]
) -> None:
    """Put what a judge said where it belongs; of what is right nothing is said."""
    if isinstance(judged, Finding):
        findings.append(judged)
    elif judged is not None:
        abstained.append(judged)


def word(value: object) -> str:
    """The text of a cell; empty where there is none."""
    return value if isinstance(value, str) else ""
