"""Every key of finops.yaml: its type, bounds, default and meaning.

How a file becomes these types, and what is said when it does not, is the business of `reading`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

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
from finops_dagster.settings.cron import Cron
from finops_dagster.settings.desired_state import DesiredStateSettings
from finops_dagster.settings.events import EventSettings, names_differ
from finops_dagster.settings.language_models import LanguageModelSettings
from finops_dagster.settings.limits import LimitSettings
from finops_dagster.settings.models import AISettings, ModelSettings
from finops_dagster.settings.placement import PlacementSettings
from finops_dagster.settings.policy import PolicySettings
from finops_dagster.settings.pull_requests import PullRequestSettings
from finops_dagster.settings.sizing import GpuSettings, MatchingSettings, SizingSettings
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
from finops_dagster.settings.tags import TagSettings
from finops_dagster.settings.types import Section, drop_empty

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
    schedule: Cron = Field(default="0 6 * * *", description="Cron, UTC, of the daily run.")
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
    ai: AISettings = Field(
        default_factory=AISettings,
        description="How AI is watched: the company's models and the product's own.",
    )
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
