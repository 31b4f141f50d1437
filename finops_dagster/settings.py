"""finops.yaml and the environment, typed, bounded and described: the only reader of either.

What lives here is what a person may set. What the settings mean is the business of the packages.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from finops_dagster.domain.errors import Fault, SettingsError

CONFIG_NAME = "finops.yaml"


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceSettings(_Section):
    """Where one source delivers."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$", description="Short name, shown wherever rows are."
    )
    path: Path = Field(description="File or directory, relative to finops.yaml.")


class BillingSettings(SourceSettings):
    """One billing export."""

    format: Literal["focus"] = Field(
        default="focus", description="Format of the export. FOCUS 1.0 to 1.2, Parquet or CSV."
    )


class Task(StrEnum):
    CLASSIFICATION = "classification"
    REGRESSION = "regression"


class ModelSettings(_Section):
    """An AI model to watch."""

    name: str = Field(description="Name in the prediction log.")
    task: Task = Field(description="classification (0 or 1, with probability) or regression.")
    owner: str = Field(description="Team that answers for it.")
    features: tuple[str, ...] = Field(min_length=1, description="Inputs watched for drift.")
    protected: tuple[str, ...] = Field(
        default=(), description="Groups in the log over which fairness is measured."
    )
    reference_days: int = Field(
        default=28, ge=7, le=365, description="Length of the reference window, in days."
    )
    analysis_days: int = Field(
        default=7, ge=1, le=90, description="Length of the window judged against it, in days."
    )


class DesiredStateSettings(_Section):
    """The GitOps repository that declares what runs."""

    forge: Literal["local", "github"] = Field(
        default="local", description="local: a bare Git repository on disk; github: GitHub."
    )
    repository: str = Field(
        description="Path of the bare repository (local), or OWNER/NAME (github)."
    )
    branch: str = Field(default="main", description="Branch that pull requests aim at.")
    allowed_paths: tuple[str, ...] = Field(
        default=(), description="Globs of files that may be edited; empty means none."
    )
    api_url: str = Field(
        default="https://api.github.com", description="API of the GitHub server."
    )


class TagSettings(_Section):
    """Which tag keys mean what; the first key present wins, case is ignored."""

    team: tuple[str, ...] = ("team", "owner")
    environment: tuple[str, ...] = ("environment", "env")
    business_unit: tuple[str, ...] = ("business_unit", "business-unit", "bu")
    cost_center: tuple[str, ...] = ("cost_center", "cost-center", "costcenter")
    namespace: tuple[str, ...] = ("k8s-namespace", "goog-k8s-namespace", "eks:namespace")
    workload_kind: tuple[str, ...] = (
        "k8s-workload-kind",
        "goog-k8s-workload-type",
        "eks:workload-type",
    )
    workload: tuple[str, ...] = (
        "k8s-workload-name",
        "goog-k8s-workload-name",
        "eks:workload-name",
    )


class LimitSettings(_Section):
    """Bounds on what is accepted and on what is done."""

    quarantined_cost_share: Decimal = Field(
        default=Decimal(0), ge=0, le=1, description="Share of a bill's cost that may be set aside."
    )
    quarantined_row_share: Decimal = Field(
        default=Decimal("0.01"), ge=0, le=1, description="Share of signal rows that may be."
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
        default=10, ge=0, le=200, description="Pull requests opened in one run at most."
    )
    min_saving_per_month: Decimal = Field(
        default=Decimal(5),
        ge=0,
        description="Expected saving a proposal needs, in its own currency.",
    )
    min_confidence: float = Field(
        default=0.7, ge=0, le=1, description="Share of the evidence window that was measured."
    )


class SizingSettings(_Section):
    """How container requests are sized."""

    history_days: int = Field(default=14, ge=7, le=60, description="Evidence window.")
    max_change_share: float = Field(
        default=0.6, gt=0, lt=1, description="A request is cut by at most this share at once."
    )


class Rung(StrEnum):
    """The autonomy ladder: how far automation goes by itself."""

    OBSERVE = "observe"
    PROPOSE = "propose"


class Settings(BaseSettings):
    """One estate: its sources, its desired state, its limits and how far automation may go."""

    model_config = SettingsConfigDict(
        extra="forbid", frozen=True, env_prefix="FINOPS_", env_nested_delimiter="__"
    )

    estate: str = Field(pattern=r"^[\w .-]{1,60}$", description="Name shown on every report.")
    as_of: date | None = Field(
        default=None, description="Day to decide for; empty means yesterday, UTC."
    )
    decide_at: time = Field(
        default=time(6),
        description="UTC time on the next day at which a day's decision is due; "
        "what arrives later is not used for it.",
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
        description="observe: decide only; propose: pull requests that people merge.",
    )
    schedule: str = Field(default="0 6 * * *", description="Cron, UTC, of the daily run.")
    state_dir: Path = Field(default=Path(".finops"), description="Where state and reports live.")
    billing: tuple[BillingSettings, ...] = Field(min_length=1, description="Billing exports.")
    telemetry: tuple[SourceSettings, ...] = Field(default=(), description="Measurements.")
    carbon: tuple[SourceSettings, ...] = Field(default=(), description="Grid intensity.")
    predictions: tuple[SourceSettings, ...] = Field(default=(), description="Prediction logs.")
    labels: tuple[SourceSettings, ...] = Field(
        default=(), description="True outcomes of predictions, when they become known."
    )
    models: tuple[ModelSettings, ...] = Field(default=(), description="AI models to watch.")
    clusters: dict[str, str] = Field(
        default={}, description="Kubernetes cluster name -> cloud region id, for carbon."
    )
    desired_state: DesiredStateSettings | None = Field(
        default=None, description="The GitOps repository; empty means nothing is proposed there."
    )
    policies: Path | None = Field(
        default=None, description="Rego bundle; empty means the one shipped."
    )
    tags: TagSettings = Field(default=TagSettings(), description="Tag keys and their meaning.")
    limits: LimitSettings = Field(default=LimitSettings(), description="Bounds.")
    sizing: SizingSettings = Field(default=SizingSettings(), description="Sizing of requests.")
    github_token: SecretStr | None = Field(
        default=None, description="Only from the environment, FINOPS_GITHUB_TOKEN.", exclude=True
    )

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

    @model_validator(mode="after")
    def _names_are_unique(self) -> Settings:
        for group in (self.billing, self.telemetry, self.carbon, self.predictions, self.labels):
            names = [source.name for source in group]
            repeated = {name for name in names if names.count(name) > 1}
            if repeated:
                raise ValueError(f"source names must differ: {', '.join(sorted(repeated))}")
        return self

    def decided_day(self, now: datetime | None = None) -> date:
        """The day decided for: `as_of`, else yesterday UTC."""
        if self.as_of is not None:
            return self.as_of
        return (now or datetime.now(UTC)).astimezone(UTC).date() - timedelta(days=1)
