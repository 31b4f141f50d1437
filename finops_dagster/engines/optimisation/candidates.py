"""What the portfolio chooses from: intended changes, the costs they reach and what is related.

Which of them are done, and when, is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from finops_dagster.domain.decisions import Finding, FindingKind
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.money import MoneyRange, to_decimal


class Part(StrEnum):
    """What of a resource is paid for."""

    CPU = "cpu"
    MEMORY = "memory"
    GPU = "gpu"
    STORAGE = "storage"
    OTHER = "other"


class Lever(StrEnum):
    """What a change does to a cost. The order of these is the order in which savings count."""

    REMEDY = "remedy"
    """Puts an AI model right: for people's sake, not for money."""
    RAISE = "raise"
    """Gives more room at a cost: for safety, not for money."""
    STOP = "stop"
    """Takes the resource away, with all that it contains."""
    SIZE = "size"
    """Takes a slice of some parts; slices of different values add up."""
    SCHEDULE = "schedule"
    """Takes a share of the hours of whatever size is left."""
    COMMIT = "commit"
    """Takes a discount on whatever is left to be paid for."""

    @property
    def for_safety(self) -> bool:
        """Done before any saving and whatever it costs: no part of a cost is its aim."""
        return self in (Lever.REMEDY, Lever.RAISE)

    @property
    def urgency(self) -> int:
        """0 is done first: harm to people before what runs short, and both before money."""
        return min(list(Lever).index(self), 2)


LEVERS = tuple(Lever)
REST_OF_SCOPE = "rest_of_scope_cost_per_month"
"""Figure of a commitment's finding: what its scope costs beside the resources that it names."""


class Cell(NamedTuple):
    """One part of one resource's own cost, in one currency."""

    resource: str
    part: Part
    currency: str


@dataclass(frozen=True)
class Candidate:
    """One change that could be made; `saving` is what it saves a month if it is done alone."""

    id: str
    key: str
    """Of the value that it sets: two of one key cannot both be done."""
    lever: Lever
    resource: str
    what: str
    """In words, such as `rightsize_cpu of Deployment/shop/web`."""
    team: str
    parts: tuple[Part, ...]
    saving: MoneyRange
    risk: float = 0.0
    share: Decimal | None = None
    """Of what is left of its cost when its turn comes, in [0, 1]; None: `saving` over cost."""
    for_carbon: bool = False
    """Made for its carbon alone: it saves no money, and takes no share of any cost."""
    scope: frozenset[str] = frozenset()
    """Resources that it reaches beside its own: what a commitment would pay for."""
    alone: bool = False
    """While it is done nothing else is done about its resource: what was measured of it ends."""
    own_cost: Decimal = Decimal(0)
    """A month, of a commitment: what it would pay for and no other change speaks of."""


@dataclass(frozen=True)
class Relations:
    """What is in what and what needs what; names are KIND/NAMESPACE/NAME."""

    contains: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What runs on or lies in a resource: their cost is paid with it, and not in its own."""
    uses: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """What a resource cannot run without, such as the volumes of a workload."""

    def within(self, resource: str) -> frozenset[str]:
        """The resource and all that it contains, at any depth; a cycle ends where it began."""
        found = {resource}
        ahead = [resource]
        while ahead:
            inner = self.contains.get(ahead.pop(), frozenset()) - found
            found |= inner
            ahead += sorted(inner)
        return frozenset(found)


_COMPUTE = (Part.CPU, Part.MEMORY, Part.GPU)
_WHOLE = tuple(Part)
_KINDS: dict[FindingKind, tuple[Lever, tuple[Part, ...]]] = {
    FindingKind.RIGHTSIZE_CPU: (Lever.SIZE, (Part.CPU,)),
    FindingKind.RIGHTSIZE_MEMORY: (Lever.SIZE, (Part.MEMORY,)),
    FindingKind.UNDERPROVISIONED_CPU: (Lever.RAISE, (Part.CPU,)),
    FindingKind.UNDERPROVISIONED_MEMORY: (Lever.RAISE, (Part.MEMORY,)),
    FindingKind.IDLE_WORKLOAD: (Lever.STOP, _COMPUTE),
    FindingKind.IDLE_GPU: (Lever.STOP, _COMPUTE),
    FindingKind.UNUSED_VOLUME: (Lever.STOP, (Part.STORAGE,)),
    FindingKind.OFF_HOURS: (Lever.SCHEDULE, _COMPUTE),
    FindingKind.UNDECLARED_WORKLOAD: (Lever.STOP, _COMPUTE),
    FindingKind.SCHEDULED_SCALING: (Lever.SCHEDULE, _COMPUTE),
    FindingKind.UNDERUSED_GPU: (Lever.SIZE, (Part.GPU,)),
    FindingKind.GPU_SPOT: (Lever.SIZE, _COMPUTE),
    FindingKind.RIGHTSIZE_MACHINE: (Lever.SIZE, _WHOLE),
    FindingKind.UNDERPROVISIONED_MACHINE: (Lever.RAISE, _WHOLE),
    FindingKind.MACHINE_GENERATION: (Lever.SIZE, _WHOLE),
    FindingKind.MACHINE_ARCHITECTURE: (Lever.SIZE, _WHOLE),
    FindingKind.MACHINE_REGION: (Lever.SIZE, _WHOLE),
    FindingKind.RIGHTSIZE_DATABASE: (Lever.SIZE, _WHOLE),
    FindingKind.UNDERPROVISIONED_DATABASE: (Lever.RAISE, _WHOLE),
    FindingKind.SERVERLESS_MEMORY: (Lever.SIZE, _WHOLE),
    FindingKind.PROVISIONED_CONCURRENCY: (Lever.SIZE, _WHOLE),
    FindingKind.IDLE_ADDRESS: (Lever.STOP, _WHOLE),
    FindingKind.IDLE_LOAD_BALANCER: (Lever.STOP, _WHOLE),
    FindingKind.IDLE_GATEWAY: (Lever.STOP, _WHOLE),
    FindingKind.OLD_SNAPSHOT: (Lever.STOP, _WHOLE),
    FindingKind.STOPPED_MACHINE: (Lever.STOP, _WHOLE),
    FindingKind.EMPTY_CLUSTER: (Lever.STOP, _WHOLE),
    FindingKind.UNUSED_ENDPOINT: (Lever.STOP, _WHOLE),
    FindingKind.LOG_RETENTION: (Lever.SIZE, _WHOLE),
    FindingKind.STORAGE_TIER: (Lever.SIZE, _WHOLE),
    FindingKind.CARBON_REGION: (Lever.SIZE, _COMPUTE),
    FindingKind.CARBON_HOURS: (Lever.SCHEDULE, _COMPUTE),
    FindingKind.COMMITMENT: (Lever.COMMIT, _COMPUTE),
    FindingKind.POLICY_VIOLATION: (Lever.SIZE, _WHOLE),
    FindingKind.MODEL_ROLLBACK: (Lever.REMEDY, ()),
    FindingKind.MODEL_CANARY: (Lever.REMEDY, ()),
    FindingKind.MODEL_PAUSE: (Lever.REMEDY, ()),
    FindingKind.MODEL_RETRAIN: (Lever.REMEDY, ()),
    FindingKind.MODEL_ENERGY: (Lever.SIZE, _COMPUTE),
    FindingKind.SHADOW_AI: (Lever.REMEDY, ()),
    FindingKind.ENGINE_PROMOTION: (Lever.REMEDY, ()),
    FindingKind.ENGINE_ROLLBACK: (Lever.REMEDY, ()),
}


_OF_ONE_TYPE = frozenset(
    {
        FindingKind.RIGHTSIZE_MACHINE,
        FindingKind.UNDERPROVISIONED_MACHINE,
        FindingKind.MACHINE_GENERATION,
        FindingKind.MACHINE_ARCHITECTURE,
        FindingKind.MACHINE_REGION,
        FindingKind.RIGHTSIZE_DATABASE,
        FindingKind.UNDERPROVISIONED_DATABASE,
    }
)
"""Kinds that make another machine of it, of which only one can be done at a time: another type, or
the same one elsewhere, whether or not somebody declares it."""


def lever_of(kind: FindingKind) -> Lever:
    """What a finding's change does to a cost."""
    return _KINDS[kind][0]


def candidate_of(finding: Finding) -> Candidate:
    """The change that a finding asks for.

    Off-hours are a share of whatever size is left: their saving has sizing taken off already.
    """
    lever, parts = _KINDS[finding.kind]
    off = finding.evidence.figures.get("off_share_of_week") if lever is Lever.SCHEDULE else None
    undeclared = "type" if finding.kind in _OF_ONE_TYPE else finding.kind.value
    value = finding.field or undeclared
    rest = finding.evidence.figures.get(REST_OF_SCOPE, 0.0) if lever is Lever.COMMIT else 0.0
    return Candidate(
        id=finding.id,
        key=content_id("key", {"resource": finding.resource, "field": value}),
        lever=lever,
        resource=finding.resource,
        what=f"{finding.kind.value} of {finding.resource}",
        team=finding.owner,
        parts=parts,
        saving=finding.saving_per_month,
        risk=finding.risk,
        share=None if off is None else to_decimal(off),
        for_carbon=for_carbon(finding),
        scope=frozenset(finding.reaches),
        alone=finding.kind is FindingKind.MODEL_PAUSE,
        own_cost=to_decimal(rest),
    )


def for_carbon(finding: Finding) -> bool:
    """Whether a change is made for its carbon alone.

    Others that save no money are made for money, and something else pays for it.
    """
    saving = finding.saving_per_month
    return finding.kind is FindingKind.CARBON_HOURS and saving.low == saving.high == 0


def known_costs(
    candidates: Iterable[Candidate], costs: Mapping[Cell, Decimal], relations: Relations
) -> dict[Cell, Decimal]:
    """`costs` a month, and for what nobody priced the least that it must cost.

    A resource without any cost in a currency costs at least what slices of its different values
    save together in one part, and at least what any one change of it saves. So the sum of savings
    stays at or under the true cost where only findings tell of it. What contains others gets no
    such cost: its findings tell of theirs. A commitment brings the rest of its scope.
    """
    found = {cell: cost for cell, cost in costs.items() if cost > 0}
    for one in candidates:
        if one.own_cost > 0:
            own = Cell(one.resource, Part.OTHER, one.saving.currency)
            found[own] = max(found.get(own, Decimal(0)), one.own_cost)
    priced = {(cell.resource, cell.currency) for cell in costs}
    slices: dict[Cell, dict[str, Decimal]] = {}
    least: dict[tuple[str, str], Decimal] = {}
    for one in candidates:
        where = one.resource, one.saving.currency
        told_elsewhere = where in priced or relations.contains.get(one.resource)
        if told_elsewhere or one.lever.for_safety or one.lever is Lever.COMMIT:
            continue
        least[where] = max(least.get(where, Decimal(0)), one.saving.mid)
        if one.lever is Lever.SIZE and len(one.parts) == 1:
            by_key = slices.setdefault(Cell(one.resource, one.parts[0], one.saving.currency), {})
            by_key[one.key] = max(by_key.get(one.key, Decimal(0)), one.saving.mid)
    told: dict[tuple[str, str], Decimal] = {}
    for cell, by_key in slices.items():
        found[cell] = sum(by_key.values(), Decimal(0))
        where = cell.resource, cell.currency
        told[where] = told.get(where, Decimal(0)) + found[cell]
    for where, amount in least.items():
        rest = amount - told.get(where, Decimal(0))
        if rest > 0:
            found[Cell(where[0], Part.OTHER, where[1])] = rest
    return {cell: cost for cell, cost in found.items() if cost > 0}
