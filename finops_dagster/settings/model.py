"""Every key of finops.yaml: its type, bounds, default and meaning.

How a file becomes these types, and what is said when it does not, is the business of `reading`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PrivateAttr,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from finops_dagster.domain.decisions import Rung
from finops_dagster.settings.alerts import AlertSettings
from finops_dagster.settings.commitments import CommitmentSettings
from finops_dagster.settings.cron import cron_fault
from finops_dagster.settings.events import EventSettings, names_differ
from finops_dagster.settings.language_models import LanguageModelSettings
from finops_dagster.settings.placement import PlacementSettings
from finops_dagster.settings.policy import PolicySettings
from finops_dagster.settings.pull_requests import PullRequestSettings
from finops_dagster.settings.sources import (
    BillingSettings,
    CarbonSettings,
    CredentialSettings,
    GridSettings,
    LabelSettings,
    PredictionSettings,
    RunSettings,
    SourceSettings,
    TelemetrySettings,
    TokenUsageSettings,
)
from finops_dagster.settings.types import Section, Workload, drop_empty

CONFIG_NAME = "finops.yaml"
SECRET_KEYS = {
    "github_token": "FINOPS_GITHUB_TOKEN",
    "opa_token": "FINOPS_OPA_TOKEN",
    "github_app_key": "FINOPS_GITHUB_APP_KEY",
    "github_app_key_file": "FINOPS_GITHUB_APP_KEY_FILE",
    "commit_signing_key": "FINOPS_COMMIT_SIGNING_KEY",
    "commit_signing_key_file": "FINOPS_COMMIT_SIGNING_KEY_FILE",
    "privacy_key": "FINOPS_PRIVACY_KEY",
    "credentials": "FINOPS_CREDENTIALS__SOURCE__KEY",
}
"""Keys that only the environment may set -> the variable."""
SOURCE_GROUPS = (
    "billing",
    "telemetry",
    "carbon",
    "predictions",
    "labels",
    "runs",
    "token_usage",
    "business_metrics",
)
"""The keys under which sources are named."""


def _text_only(value: Any) -> Any:
    """YAML reads 20261031 and 6 as numbers; pydantic would take them for seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("a number is no date or time: write 2026-10-31, or '06:00'")
    return value


def _utc(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("the time is UTC already: write it without an offset")
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 16:
        raise ValueError("a key of 16 characters or more: a shorter one can be guessed")
    return value


def _cron(value: str) -> str:
    fault = cron_fault(value)
    if fault is not None:
        raise ValueError(fault)
    return value


class Task(StrEnum):
    """What a watched model predicts."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class ModelSettings(Section):
    """An AI model to watch."""

    name: str = Field(description="Name in the prediction log.", examples=["credit-risk"])
    task: Task = Field(
        description="classification (0 or 1, with probability) or regression.",
        examples=["classification"],
    )
    owner: str = Field(description="Team that answers for it.", examples=["team-risk"])
    features: tuple[str, ...] = Field(
        min_length=1, description="Inputs watched for drift.", examples=[["income", "age"]]
    )
    protected: tuple[str, ...] = Field(
        default=(), description="Groups in the log over which fairness is measured."
    )
    reference_days: int = Field(
        default=28, ge=7, le=365, description="Length of the reference window, in days."
    )
    analysis_days: int = Field(
        default=7, ge=1, le=90, description="Length of the window judged against it, in days."
    )
    workload: Workload | None = Field(
        default=None,
        description="KIND/NAMESPACE/NAME of the Kubernetes workload that answers: whose cost its "
        "predictions share. Empty: not known.",
        examples=["InferenceService/ml/credit-risk"],
    )


class DesiredStateSettings(Section):
    """The GitOps repository that declares what runs."""

    forge: Literal["local", "github"] = Field(
        default="local", description="local: a bare Git repository on disk; github: GitHub."
    )
    repository: str = Field(
        description="Path of the bare repository (local), or OWNER/NAME (github).",
        examples=["gitops.git"],
    )
    branch: str = Field(
        default="main",
        # The safe part of git-check-ref-format: the name is handed to git.
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$",
        description="Branch that pull requests aim at.",
    )
    allowed_paths: tuple[str, ...] = Field(
        default=(), description="Globs of files that may be edited; empty means none."
    )
    api_url: str = Field(
        default="https://api.github.com",
        pattern=r"^https?://\S+$",
        description="API of the GitHub server; of GitHub Enterprise Server https://HOST/api/v3.",
    )
    app_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,60}$",
        description="GitHub App, by its id or client id, in place of a token; its private key is "
        "FINOPS_GITHUB_APP_KEY in the environment.",
    )
    installation_id: int | None = Field(
        default=None, ge=1, description="That App's installation on the repository's owner."
    )

    @model_validator(mode="after")
    def _repository_fits_forge(self) -> DesiredStateSettings:
        owner, slash, name = self.repository.partition("/")
        if self.forge == "github" and not (owner and slash and name and "/" not in name):
            raise ValueError("with forge: github, repository must be OWNER/NAME")
        if (self.app_id is None) != (self.installation_id is None):
            raise ValueError("app_id and installation_id come together")
        return self


class TagSettings(Section):
    """Which tag keys mean what; the first key present wins, case is ignored."""

    team: tuple[str, ...] = Field(default=("team", "owner"), description="Who pays and answers.")
    environment: tuple[str, ...] = Field(
        default=("environment", "env"), description="Such as prod, staging, dev."
    )
    business_unit: tuple[str, ...] = Field(
        default=("business_unit", "business-unit", "bu"), description="Part of the company."
    )
    cost_center: tuple[str, ...] = Field(
        default=("cost_center", "cost-center", "costcenter"), description="Account to charge."
    )
    namespace: tuple[str, ...] = Field(
        default=("k8s-namespace", "goog-k8s-namespace", "eks:namespace"),
        description="Kubernetes namespace of what is billed.",
    )
    workload_kind: tuple[str, ...] = Field(
        default=("k8s-workload-kind", "goog-k8s-workload-type", "eks:workload-type"),
        description="Kubernetes kind of what is billed, such as Deployment.",
    )
    workload: tuple[str, ...] = Field(
        default=("k8s-workload-name", "goog-k8s-workload-name", "eks:workload-name"),
        description="Name of the Kubernetes workload that is billed.",
    )
    claim_namespace: tuple[str, ...] = Field(
        default=(
            "kubernetes.io/created-for/pvc/namespace",
            "kubernetes.io-created-for-pvc-namespace",
        ),
        description="Namespace of the PersistentVolumeClaim that a volume is billed for.",
    )
    claim: tuple[str, ...] = Field(
        default=("kubernetes.io/created-for/pvc/name", "kubernetes.io-created-for-pvc-name"),
        description="Name of the PersistentVolumeClaim that a volume is billed for.",
    )
    cluster: tuple[str, ...] = Field(
        default=(
            *("k8s-cluster", "eks:cluster-name", "aws:eks:cluster-name"),
            *("alpha.eksctl.io/cluster-name", "goog-k8s-cluster-name"),
            *("aks-managed-cluster-name", "KubernetesCluster", "kubernetes.io/cluster/*"),
        ),
        description="Kubernetes cluster that something is billed for, as measurements call it. "
        "Where a key ends in *, the name is what stands for it.",
    )


class LimitSettings(Section):
    """Bounds on what is accepted and on what is done."""

    quarantined_cost_share: Decimal = Field(
        default=Decimal(0), ge=0, le=1, description="Share of a bill's cost that may be set aside."
    )
    quarantined_row_share: Decimal = Field(
        default=Decimal("0.01"),
        ge=0,
        le=1,
        description="Share of a signal delivery's rows that may be set aside.",
    )
    invoice_tolerance: Decimal = Field(
        default=Decimal("0.005"),
        ge=0,
        le=1,
        description="Share by which a bill may differ from its invoice or control total.",
    )
    publication_age_days: int = Field(
        default=3, ge=1, le=60, description="A publication older than this is not decided on."
    )
    open_pull_requests: int = Field(
        default=10, ge=0, le=200, description="Open pull requests at most, over all teams."
    )
    new_pull_requests: int = Field(
        default=2,
        ge=0,
        le=200,
        description="Pull requests opened in an hour (UTC) at most, counted from the forge's own "
        "record by the clock of the run.",
    )
    new_changes: int | None = Field(
        default=None, ge=1, description="Changes newly proposed on a day at most; empty: all."
    )
    new_changes_per_team: int | None = Field(
        default=None,
        ge=1,
        description="Changes newly proposed to one team on a day at most; empty: all.",
    )
    money_per_change: Decimal | None = Field(
        default=None,
        gt=0,
        description="Expected saving a month above which a change is left to a person, in its own "
        "currency; empty: none is.",
    )
    money_per_day: Decimal | None = Field(
        default=None,
        gt=0,
        description="Expected savings a month of what is newly proposed on a day at most, in each "
        "currency; empty: all.",
    )
    min_saving_per_month: Decimal = Field(
        default=Decimal(5),
        ge=0,
        description="Expected saving a proposal needs, in its own currency.",
    )
    min_confidence: float = Field(
        default=0.7, ge=0, le=1, description="Share of the evidence window that was measured."
    )


_Tier = Literal["production", "staging", "development"]


class SizingSettings(Section):
    """How container requests and machines are sized."""

    history_days: int = Field(default=14, ge=7, le=60, description="Evidence window, in days.")
    max_change_share: float = Field(
        default=0.5, gt=0, lt=1, description="A request is cut by at most this share at once."
    )
    risk_dial: dict[_Tier, Annotated[float, Field(gt=0)]] = Field(
        default={},
        description="production, staging, development -> what one more percent of the time short "
        "is worth, in percent of a request: 1 saves most, 100 is most careful. What is left out is "
        "16.3, 9 and 2.4.",
    )
    machine_types: Path | None = Field(
        default=None,
        description="CSV of machine types and what an hour of each costs, for types that no bill "
        "of yours names: instance_type, region, currency, price_per_hour and what "
        "docs/recommendations/machines-and-databases.md says; empty means none.",
        examples=["machine-types.csv"],
    )


class MatchingSettings(Section):
    """How what is billed, measured and declared is told to be one resource."""

    cost_days: int = Field(
        default=28, ge=1, le=366, description="Days of costs that are matched, up to the decided."
    )
    measured_days: int = Field(
        default=7, ge=1, le=92, description="Days of measurements that are matched."
    )
    run_days: int = Field(
        default=7,
        ge=1,
        le=92,
        description="Days, up to the decided one, whose runs are charged with what is billed by "
        "now: bills come late.",
    )
    ignored_namespaces: tuple[str, ...] = Field(
        default=("kube-system", "kube-public", "kube-node-lease"),
        description="Namespaces whose workloads no repository of yours declares.",
    )


class GpuSettings(Section):
    """When a GPU counts as idle."""

    idle_below_percent: float = Field(
        default=2.0,
        gt=0,
        le=100,
        description="Mean utilisation of an interval below which its GPUs were idle. The default "
        "is the one of the finding idle_gpu.",
    )


class RetentionSettings(Section):
    """How long deliveries stay; one in force, or named by a publication, stays forever."""

    all_days: int = Field(
        default=7, ge=1, le=366, description="Days for which every delivery is kept."
    )
    daily_days: int = Field(
        default=92,
        ge=1,
        le=3660,
        description="Days of which the last delivery is kept: any of them can be decided again "
        "as it was. Of older ones, each month's last is kept.",
    )


class CurrencySettings(Section):
    """How costs are converted; without rates they are never added across currencies."""

    rates: Path | None = Field(
        default=None,
        description="CSV of rates: date, from, to, rate, taken_at; empty means none.",
        examples=["rates.csv"],
    )
    convert_to: tuple[Annotated[str, Field(pattern=r"^[A-Z]{3}$")], ...] = Field(
        default=(), description="ISO 4217 codes that costs are also given in."
    )
    rate_days: int = Field(
        default=7,
        ge=0,
        le=366,
        description="A day without a rate takes the last one before it, at most this many days "
        "old; without one its cost is not converted.",
    )

    @model_validator(mode="after")
    def _target_has_rates(self) -> CurrencySettings:
        if self.convert_to and self.rates is None:
            raise ValueError("convert_to needs rates: name the CSV of rates")
        return self


class ReportClock(StrEnum):
    """When a charge counts in a report: when it was for, or when it was billed."""

    CHARGE = "charge"
    BILLING = "billing"


class Settings(BaseSettings):
    """One estate: its sources, its desired state, its limits and how far automation may go."""

    model_config = SettingsConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        env_prefix="FINOPS_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
    )

    estate: str = Field(
        pattern=r"^[\w .-]{1,60}$",
        description="Name shown on every report.",
        examples=["my-company"],
    )
    as_of: Annotated[date, BeforeValidator(_text_only)] | None = Field(
        default=None, description="Day to decide for; empty means yesterday, UTC."
    )
    decide_at: Annotated[time, BeforeValidator(_text_only), AfterValidator(_utc)] = Field(
        default=time(6),
        description="UTC time on the next day at which a day's decision is due; "
        "what arrives later is not used for it.",
    )
    start: Annotated[date, BeforeValidator(_text_only)] = Field(
        default=date(2024, 1, 1),
        description="First day of history: Dagster's partitions begin in its month.",
    )
    history_days: int = Field(
        default=45,
        ge=28,
        le=800,
        description="Days of telemetry, carbon and predictions a first run takes in; "
        "backfill earlier ones from the UI.",
    )
    act: bool = Field(default=False, description="Open, update and close pull requests.")
    autonomy: Rung = Field(
        default=Rung.PROPOSE,
        description="How far automation goes at most; policy says how far in each case. observe: "
        "decide only; advise: the dashboard issue; propose: pull requests that people merge; "
        "automerge: those that the forge merges by its own protection.",
    )
    schedule: Annotated[str, AfterValidator(_cron)] = Field(
        default="0 6 * * *", description="Cron, UTC, of the daily run."
    )
    state_dir: Path = Field(default=Path(".finops"), description="Where state and reports live.")
    billing: tuple[BillingSettings, ...] = Field(
        min_length=1,
        description="Billing exports.",
        examples=[[{"name": "cloud", "path": "exports/cloud"}]],
    )
    telemetry: tuple[TelemetrySettings, ...] = Field(
        default=(),
        description="Measurements.",
        examples=[
            [
                {
                    "name": "cluster-a",
                    "path": "https://prometheus.example.org",
                    "format": "prometheus",
                }
            ]
        ],
    )
    carbon: tuple[CarbonSettings, ...] = Field(
        default=(),
        description="Grid intensity.",
        examples=[[{"name": "grid", "path": "carbon"}]],
    )
    predictions: tuple[PredictionSettings, ...] = Field(
        default=(),
        description="Prediction logs.",
        examples=[[{"name": "models", "path": "predictions"}]],
    )
    labels: tuple[LabelSettings, ...] = Field(
        default=(),
        description="True outcomes of predictions, when they become known.",
        examples=[[{"name": "outcomes", "path": "labels"}]],
    )
    runs: tuple[RunSettings, ...] = Field(
        default=(),
        description="Training and pipeline runs, and the models they registered.",
        examples=[[{"name": "mlflow", "path": "http://mlflow.internal:5000"}]],
    )
    token_usage: tuple[TokenUsageSettings, ...] = Field(
        default=(),
        description="Tokens that services asked of language models.",
        examples=[[{"name": "otel", "path": "otlp"}]],
    )
    business_metrics: tuple[SourceSettings, ...] = Field(
        default=(),
        description="How much of what the business counts: orders, users; what costs are told per.",
        examples=[[{"name": "sales", "path": "business"}]],
    )
    models: tuple[ModelSettings, ...] = Field(default=(), description="AI models to watch.")
    language_models: tuple[LanguageModelSettings, ...] = Field(
        default=(), description="Language models whose tokens have a cost, by docs/ai-costs.md."
    )
    clusters: dict[str, str] = Field(
        default={}, description="Kubernetes cluster name -> cloud region id, for carbon."
    )
    grid: GridSettings = Field(default=GridSettings(), description="Choice of grid intensity.")
    desired_state: DesiredStateSettings | None = Field(
        default=None, description="The GitOps repository; empty means nothing is proposed there."
    )
    policies: Path | None = Field(
        default=None, description="Rego bundle; empty means the one shipped."
    )
    policy: PolicySettings = Field(
        default=PolicySettings(),
        description="Other people's policies beside the bundle, and an OPA server, by "
        "docs/policy.md.",
    )
    allocation: Path | None = Field(
        default=None,
        description="Allocation file (YAML): teams, ordered rules and shared costs, by "
        "docs/allocation.md, and units, budgets and a price list, by docs/units-and-budgets.md; "
        "empty means that the tag keys below say whose a cost is.",
        examples=["allocation.yaml"],
    )
    privacy: Path | None = Field(
        default=None,
        description="Privacy policy (YAML) whose rules come before the shipped ones: what is "
        "kept, hashed or dropped at landing, by docs/privacy.md.",
        examples=["privacy.yaml"],
    )
    focus_rules: Path | None = Field(
        default=None,
        description="Rule model of the FOCUS specification (model-VERSION.json of its releases); "
        "empty means deliveries are not judged by it.",
    )
    focus_allowed: dict[str, str] = Field(
        default={}, description="Rule of that model -> why it may fail here."
    )
    tags: TagSettings = Field(default=TagSettings(), description="Tag keys and their meaning.")
    limits: LimitSettings = Field(default=LimitSettings(), description="Bounds.")
    pull_requests: PullRequestSettings = Field(
        default=PullRequestSettings(),
        description="How pull requests are grouped, timed, remembered and stopped, by "
        "docs/pull-requests.md.",
    )
    sizing: SizingSettings = Field(default=SizingSettings(), description="Sizing of requests.")
    placement: PlacementSettings = Field(
        default=PlacementSettings(),
        description="Region and hours of work that is labelled movable, by "
        "docs/recommendations/placement.md.",
    )
    commitments: CommitmentSettings = Field(
        default=CommitmentSettings(),
        description="What commitments are sold at, by docs/recommendations/commitments.md.",
    )
    known_events: Annotated[tuple[EventSettings, ...], AfterValidator(names_differ)] = Field(
        default=(),
        description="What is known of costs to come: an end of a commitment, a migration, a load "
        "test, by docs/incidents.md.",
    )
    alerts: AlertSettings = Field(
        default=AlertSettings(), description="Who is told of incidents, and how often."
    )
    matching: MatchingSettings = Field(
        default=MatchingSettings(), description="Matching of bill, measurements and repository."
    )
    gpus: GpuSettings = Field(default=GpuSettings(), description="Idle GPUs.")
    retention: RetentionSettings = Field(
        default=RetentionSettings(), description="How long deliveries are kept."
    )
    currencies: CurrencySettings = Field(
        default=CurrencySettings(), description="Conversion of costs."
    )
    report_clock: ReportClock = Field(
        default=ReportClock.CHARGE,
        description="charge: spend counts on the day it is for; billing: in the month that bills "
        "it, where corrections of closed months show.",
    )
    github_token: SecretStr | None = Field(
        default=None,
        description="GitHub token that may push branches and open pull requests; only from the "
        "environment, as FINOPS_GITHUB_TOKEN.",
        exclude=True,
    )
    opa_token: SecretStr | None = Field(
        default=None,
        description="Bearer token for the OPA server of `policy.opa_url`; only from the "
        "environment, as FINOPS_OPA_TOKEN.",
        exclude=True,
    )
    github_app_key: SecretStr | None = Field(
        default=None,
        description="Private key (PEM) of the GitHub App; only from the environment, as "
        "FINOPS_GITHUB_APP_KEY.",
        exclude=True,
    )
    github_app_key_file: Path | None = Field(
        default=None,
        description="File with that key; only from the environment, as FINOPS_GITHUB_APP_KEY_FILE.",
        exclude=True,
    )
    commit_signing_key: SecretStr | None = Field(
        default=None,
        description="Private key without a passphrase, OpenSSH or armored OpenPGP, that commits "
        "are signed with; only from the environment, as FINOPS_COMMIT_SIGNING_KEY.",
        exclude=True,
    )
    commit_signing_key_file: Path | None = Field(
        default=None,
        description="File with that key; only from the environment, as "
        "FINOPS_COMMIT_SIGNING_KEY_FILE.",
        exclude=True,
    )
    privacy_key: Annotated[SecretStr, AfterValidator(_long_enough)] | None = Field(
        default=None,
        description="Key of the hashes that stand for personal values, 16 characters or more; "
        "only from the environment, as FINOPS_PRIVACY_KEY. Without it a random one is made in "
        "the state folder.",
        exclude=True,
    )
    credentials: dict[str, CredentialSettings] = Field(
        default={},
        description="By what a source lets us in; only from the environment, as "
        "FINOPS_CREDENTIALS__SOURCE__KEY. SOURCE is its name in capitals, with _ for -; KEY is "
        "TOKEN, TOKEN_FILE, USERNAME, PASSWORD, HEADERS (JSON), CLIENT_CERT, CLIENT_KEY or CA.",
        exclude=True,
    )
    _folder: Path = PrivateAttr(default=Path())

    @property
    def folder(self) -> Path:
        """The settings file's: paths among a source's options start from it."""
        return self._folder

    def in_folder(self, folder: Path, update: dict[str, Any]) -> Settings:
        """A copy with `update` whose paths start from `folder`."""
        copy = self.model_copy(update=update)
        copy._folder = folder
        return copy

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file, so that a container can override one key."""
        return env_settings, init_settings

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        return drop_empty(cls, data)

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        groups: tuple[tuple[SourceSettings | ModelSettings, ...], ...] = (
            self.billing,
            self.telemetry,
            self.carbon,
            self.predictions,
            self.labels,
            self.runs,
            self.token_usage,
            self.business_metrics,
            self.models,
        )
        for group in groups:
            names = [item.name for item in group]
            repeated = {name for name in names if names.count(name) > 1}
            if repeated:
                raise ValueError(f"names must differ: {', '.join(sorted(repeated))}")
        return self

    @model_validator(mode="after")
    def _workloads_are_shared_by_one_measure(self) -> Settings:
        told = {(one.provider.lower(), one.model.lower()) for one in self.language_models}
        if len(told) < len(self.language_models):
            raise ValueError("language_models must differ in provider or model")
        predicting = {one.workload for one in self.models if one.workload}
        for one in self.language_models:
            if one.workload in predicting:
                raise ValueError(
                    f"{one.workload} serves {one.model} and one of `models`: predictions and "
                    "tokens cannot share one cost; name it in one of both"
                )
        return self

    def credentials_of(self, source: str) -> CredentialSettings:
        """By what the source of this name lets us in; empty where the environment has nothing."""
        wanted = source.replace("-", "_").lower()
        found = {name.lower(): given for name, given in self.credentials.items()}
        return found.get(wanted, CredentialSettings())

    def decided_day(self, now: datetime | None = None) -> date:
        """The day decided for: `as_of`, else yesterday UTC."""
        if self.as_of is not None:
            return self.as_of
        return (now or datetime.now(UTC)).astimezone(UTC).date() - timedelta(days=1)

    def first_day(self, as_of: date) -> date:
        """The oldest day of signals that a first run deciding for `as_of` takes in."""
        return as_of - timedelta(days=self.history_days - 1)
