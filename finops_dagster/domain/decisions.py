"""From a finding to a pull request: the frozen types that the decision stages hand on."""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.ids import content_id
from finops_dagster.domain.models import Breach
from finops_dagster.domain.money import MoneyRange, Range


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Abstained(_Frozen):
    """An engine's refusal to judge: what it could not judge, and why."""

    subject: str
    reason: str


class Waiting(Abstained):
    """A change that is wanted, and that a limit of the day holds up."""

    key: str
    resource: str
    since: date
    """First day on which it was held up."""


class FindingKind(StrEnum):
    """What kind of waste or fault a finding tells of."""

    RIGHTSIZE_CPU = "rightsize_cpu"
    RIGHTSIZE_MEMORY = "rightsize_memory"
    UNDERPROVISIONED_CPU = "underprovisioned_cpu"
    UNDERPROVISIONED_MEMORY = "underprovisioned_memory"
    IDLE_WORKLOAD = "idle_workload"
    IDLE_GPU = "idle_gpu"
    UNUSED_VOLUME = "unused_volume"
    OFF_HOURS = "off_hours"
    SCHEDULED_SCALING = "scheduled_scaling"
    UNDECLARED_WORKLOAD = "undeclared_workload"
    UNDERUSED_GPU = "underused_gpu"
    GPU_SPOT = "gpu_spot"
    RIGHTSIZE_MACHINE = "rightsize_machine"
    UNDERPROVISIONED_MACHINE = "underprovisioned_machine"
    MACHINE_GENERATION = "machine_generation"
    MACHINE_ARCHITECTURE = "machine_architecture"
    MACHINE_REGION = "machine_region"
    RIGHTSIZE_DATABASE = "rightsize_database"
    UNDERPROVISIONED_DATABASE = "underprovisioned_database"
    SERVERLESS_MEMORY = "serverless_memory"
    PROVISIONED_CONCURRENCY = "provisioned_concurrency"
    IDLE_ADDRESS = "idle_address"
    IDLE_LOAD_BALANCER = "idle_load_balancer"
    IDLE_GATEWAY = "idle_gateway"
    OLD_SNAPSHOT = "old_snapshot"
    STOPPED_MACHINE = "stopped_machine"
    EMPTY_CLUSTER = "empty_cluster"
    UNUSED_ENDPOINT = "unused_endpoint"
    LOG_RETENTION = "log_retention"
    STORAGE_TIER = "storage_tier"
    CARBON_REGION = "carbon_region"
    CARBON_HOURS = "carbon_hours"
    COMMITMENT = "commitment"
    POLICY_VIOLATION = "policy_violation"
    MODEL_ROLLBACK = "model_rollback"
    MODEL_CANARY = "model_canary"
    MODEL_PAUSE = "model_pause"
    MODEL_RETRAIN = "model_retrain"
    MODEL_ENERGY = "model_energy"
    SHADOW_AI = "shadow_ai"
    ENGINE_PROMOTION = "engine_promotion"
    ENGINE_ROLLBACK = "engine_rollback"


class Evidence(_Frozen):
    """The window a judgement rests on and the numbers in it (name with unit -> value)."""

    window_start: datetime
    window_end: datetime
    samples: int
    figures: dict[str, float]


class Finding(_Frozen):
    """A fact worth acting on. `proposed` is empty where no edit is known, and so are `field` and
    `current` where it is about no declared value."""

    kind: FindingKind
    resource: str
    """KIND/NAMESPACE/NAME."""
    field: str
    """Path of the value in the resource, as the desired-state index prints it."""
    current: str
    proposed: str
    owner: str
    environment: str
    saving_per_month: MoneyRange
    """Negative where the change costs money (an under-provisioned workload)."""
    carbon_kg_per_month: Range
    risk: float
    """Probability in [0, 1] that the change makes demand exceed capacity in the next 14 days."""
    confidence: float
    """In [0, 1]: share of the evidence window that was measured."""
    evidence: Evidence
    reason: str
    """One sentence for a person."""
    engine: str
    """Name and version of the engine that found it."""
    as_of: date
    suggestion: str = ""
    """What to add or run where no edit of one declared value does it: a manifest, a rule."""
    wrong_if: str = ""
    """What would make it wrong, in a clause; empty where the reason says it."""
    reaches: tuple[str, ...] = ()
    """Resources of the day's other findings that it reaches beside its own."""
    document: str = ""
    """A whole manifest to add, that declares `resource`, where no declared value is changed."""
    counterfactual: tuple[str, ...] = ()
    """What would have to be true for it not to be proposed, each alone, the nearest first."""

    @property
    def id(self) -> str:
        return content_id("finding", self)

    @property
    def key(self) -> str:
        """Same resource and field, same key, whatever the numbers say today."""
        return content_id("key", {"resource": self.resource, "field": self.field})


class Counted(_Frozen):
    """What a finding adds where every finding that goes together is acted on: these add up."""

    finding_id: str
    saving_per_month: MoneyRange
    """Negative where it costs money."""


class Proposal(_Frozen):
    """One intended change of desired state, made from one finding."""

    finding_id: str
    key: str
    kind: FindingKind
    resource: str
    field: str
    current: str
    proposed: str
    owner: str
    environment: str
    saving_per_month: MoneyRange
    """What it saves once the day's other proposals are done: these can be added up."""
    carbon_kg_per_month: Range
    risk: float
    confidence: float
    evidence: Evidence
    reason: str
    reconstructed: bool
    """True when decided for a past day from rebuilt publications; never opens a pull request."""
    publication_id: str
    as_of: date
    order: int = 0
    """Place in the order of doing of its day, from 1; 0 where none was kept."""
    order_reason: str = ""
    """Why it stands there."""
    wrong_if: str = ""
    """What would make it wrong, in a clause; empty where the reason says it."""
    document: str = ""
    """A whole manifest to add, that declares `resource`, where no declared value is changed."""
    counterfactual: tuple[str, ...] = ()
    """What would have to be true for it not to be proposed, each alone, the nearest first."""

    @property
    def id(self) -> str:
        return content_id("proposal", self)

    @property
    def change_key(self) -> str:
        """Same kind, resource and field, same key: what a pull request is known by on a forge."""
        return content_id(
            "key", {"kind": self.kind.value, "resource": self.resource, "field": self.field}
        )


class Rung(StrEnum):
    """The autonomy ladder, from below: how far automation goes by itself."""

    OBSERVE = "observe"
    """Decided and recorded; shown to nobody but who asks."""
    ADVISE = "advise"
    """Shown on the dashboard, where a person may have it opened."""
    PROPOSE = "propose"
    """A pull request that a person merges."""
    AUTOMERGE = "automerge"
    """A pull request that the forge merges by its own protection."""

    @property
    def height(self) -> int:
        """0 for the lowest."""
        return list(Rung).index(self)


class Decision(StrEnum):
    """What policy says, in rising severity."""

    ALLOW = "allow"
    NEEDS_APPROVAL = "needs_approval"
    DENY = "deny"

    @property
    def severity(self) -> int:
        """0 for the mildest."""
        return list(Decision).index(self)


class RuleResult(_Frozen):
    """One rule that spoke: its METADATA title, what it saw, its limit, how to satisfy it."""

    id: str
    title: str
    decision: Decision
    actual: str
    limit: str
    fix: str


class Verdict(_Frozen):
    """What policy says of one proposal or manifest, with the rules that spoke."""

    subject: str
    """Proposal id, or FILE#DOCUMENT for a manifest."""
    decision: Decision
    rules: tuple[RuleResult, ...]
    bundle: str
    """Content hash of the policy bundle that judged."""
    rung: Rung = Rung.PROPOSE
    """How far automation may go with it, by policy."""
    rung_reason: str = ""
    """What holds it there, as one sentence; empty where nothing was said."""
    approvers: tuple[str, ...] = ()
    """Who may approve it, as CODEOWNERS names them; empty where policy names nobody."""


class ValueLocation(_Frozen):
    """Where one scalar of one declared resource lives: file, document, bytes, and if it may be
    changed without changing any other resource."""

    resource: str
    field: str
    value: str
    file: str
    """POSIX path relative to the repository."""
    document: int
    """0-based document in the file."""
    start_byte: int
    end_byte: int
    editable: bool
    reason: str
    """Why it may not be edited; empty when it may."""
    shared: bool = False
    """It may not be edited because other values come from the same bytes: what is written for
    this resource alone, over them, could still change it."""
    follows: tuple[str, ...] = ()
    """Other resources that show these very bytes, and change with them: the release whose chart
    makes this resource, or what a release's chart makes."""


class DeclaredResource(_Frozen):
    """One resource as rendered from the desired state at a commit."""

    resource: str
    """KIND/NAMESPACE/NAME; of what is not Kubernetes the namespace is the folder, `:` for `/`."""
    api_version: str
    """Of what is not Kubernetes the tool: terraform, serverless, the template's transform."""
    labels: dict[str, str]
    """Or tags, those that a provider adds included."""
    annotations: dict[str, str]
    file: str
    document: int
    manifest: str
    """The rendered manifest as JSON text: policy reads it."""
    owner: str | None = None
    cost_center: str | None = None
    environment: str | None = None
    """As written: `prod` and `production` are not made one."""
    region: str | None = None
    """A cloud's region, also where only a zone is declared."""
    told_by: dict[str, str] = {}
    """owner, cost_center, environment, region -> the rule that spoke."""
    cloud_ids: tuple[str, ...] = ()
    """What a bill or an inventory may call it: ARN, identifier, name of bucket or function."""
    variants: tuple[str, ...] = ()
    """The same resource as other roots of the repository render it (another cluster's, say)."""


class Edit(_Frozen):
    """Replace bytes [start_byte, end_byte) of `file`, which must read `before`, by `after`."""

    file: str
    start_byte: int
    end_byte: int
    before: str
    after: str
    creates: bool = False
    """The file is not there yet; `after` is all of it, `before` is empty and the bytes are 0."""


class ChangeSet(_Frozen):
    """The exact edits of one proposal at one base commit."""

    proposal_id: str
    key: str
    base_sha: str
    edits: tuple[Edit, ...]

    @property
    def fingerprint(self) -> str:
        """Hash of what is written, not of where: a moved line is still the same change."""
        return content_id("change", [(self.key, e.file, e.before, e.after) for e in self.edits])


class GateResult(_Frozen):
    """Whether a gate lets the line go on, and why not."""

    gate: str
    result: Literal["pass", "warn", "fail"]
    reasons: tuple[str, ...]
    breaches: tuple[Breach, ...] = ()
    """Of a model: what its reasons are about, the gravest first. A check that could not be judged
    is a reason and no breach."""
