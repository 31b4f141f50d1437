"""Every key of finops.yaml: its type, bounds, default and meaning.

How a file becomes these types, and what is said when it does not, is the business of `reading`.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    SecretStr,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from finops_dagster.settings.cron import cron_fault

CONFIG_NAME = "finops.yaml"
SECRET_KEYS = {
    "github_token": "FINOPS_GITHUB_TOKEN",
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
)
"""The keys under which sources are named."""
PLACE_SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "http", "https")


def _text_only(value: Any) -> Any:
    """YAML reads 20261031 and 6 as numbers; pydantic would take them for seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("a number is no date or time: write 2026-10-31, or '06:00'")
    return value


def _utc(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("the time is UTC already: write it without an offset")
    return value


def _place(value: Any) -> Any:
    """A path, or a URL of a store that has its own way to credentials."""
    if isinstance(value, str) and "://" in value:
        scheme, _, rest = value.partition("://")
        user, at, _ = rest.split("/", 1)[0].rpartition("@")
        if scheme.lower() not in PLACE_SCHEMES:
            raise ValueError(f"a path, or a URL of {', '.join(PLACE_SCHEMES)}")
        # abfs://CONTAINER@ACCOUNT.dfs.core.windows.net names no user
        if at and (":" in user or not scheme.lower().startswith("abfs")):
            raise ValueError("no user and no password in a URL; give the provider's credentials")
        if "?" in rest and not scheme.lower().startswith("http"):
            raise ValueError("no query in a URL; give the provider's own credentials")
        return value
    if isinstance(value, str | Path):
        return Path(value)
    raise ValueError("a path or a URL")


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 16:
        raise ValueError("a key of 16 characters or more: a shorter one can be guessed")
    return value


def _tracking_place(value: Any) -> Any:
    """As `_place`; of the addresses of SQL stores those of SQLite files are paths."""
    if isinstance(value, str) and value.lower().startswith("sqlite:///"):
        return Path(value[len("sqlite:///") :])
    if isinstance(value, str) and re.match(r"(?i)(postgres|mysql|mssql)\w*(\+\w+)?:", value):
        raise ValueError(
            "the URL of a tracking server, or a SQLite file: of a store in another database "
            "its server is asked"
        )
    return _place(value)


Place = Annotated[Path | str, BeforeValidator(_place)]
"""A `str` is a URL."""


def _cron(value: str) -> str:
    fault = cron_fault(value)
    if fault is not None:
        raise ValueError(fault)
    return value


def _drop_empty(cls: type[BaseModel], data: Any) -> Any:
    """A key or section left empty in the file means its default, as if it were not written."""
    if not isinstance(data, dict):
        return data
    return {
        key: value
        for key, value in data.items()
        if value is not None or key not in cls.model_fields
    }


class Section(BaseModel):
    """A group of keys: unknown keys are refused, empty ones mean their default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        return _drop_empty(cls, data)


class SourceSettings(Section):
    """Where one source delivers."""

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$",
        description="Short name, shown wherever rows are.",
        examples=["my-source"],
    )
    path: Place = Field(
        description="File or directory, or a URL of them: s3://, gs://, az://, abfs://, https://.",
        examples=["data"],
    )
    max_age_hours: int | None = Field(
        default=None,
        ge=1,
        le=8784,
        description="The newest delivery is late when it is older than this; empty means never.",
    )


class FormattedSettings(SourceSettings):
    """A source that comes in several formats, each with options of its own."""

    format: str = Field(pattern=r"^[a-z0-9_]+$", description="Format of what is delivered.")
    options: dict[str, str] = Field(
        default={}, description="What the format asks for beside the files."
    )


class BillingSettings(FormattedSettings):
    """One billing export."""

    format: str = Field(
        default="focus",
        pattern=r"^[a-z0-9_]+$",
        description="Format of the export: focus (1.0 to 1.4), or another of docs/billing.md.",
    )
    options: dict[str, str] = Field(
        default={},
        description="What the format asks for beside the files, by docs/billing.md.",
    )
    supports: dict[str, bool] = Field(
        default={},
        description="Applicability criteria of the FOCUS rules, and whether the provider supports "
        "each; the rest is read off its columns.",
    )


class RunSettings(SourceSettings):
    """Training or pipeline runs: a tracking server, its store, or files."""

    path: Annotated[Path | str, BeforeValidator(_tracking_place)] = Field(
        description="mlflow: the server's URL, or its SQLite file (sqlite:///PATH too); files and "
        "pods: a file or directory, or a URL of them.",
        examples=["http://mlflow.internal:5000"],
    )
    format: Literal["mlflow", "files", "pods"] = Field(
        default="mlflow",
        description="mlflow: tracking server or store; files: rows of docs/ai-runs.md; pods: "
        "labels of pods, from which runs of pipelines are told.",
    )
    cluster: str | None = Field(
        default=None, min_length=1, description="pods: name of the cluster that they are of."
    )
    reach_days: int = Field(
        default=45, ge=1, le=800, description="mlflow: days back whose runs are asked for."
    )
    open_days: int = Field(
        default=14,
        ge=1,
        le=366,
        description="mlflow: a run without an end counts as running for this many days, no longer.",
    )

    @model_validator(mode="after")
    def _server_speaks_http(self) -> RunSettings:
        remote = isinstance(self.path, str)
        if self.format == "mlflow" and remote and not str(self.path).lower().startswith("http"):
            raise ValueError("with format: mlflow, path must be http(s):// or a SQLite file")
        return self


class TokenUsageSettings(SourceSettings):
    """Tokens that services asked of language models."""

    format: Literal["otlp", "files"] = Field(
        default="otlp",
        description="otlp: JSON lines of the OpenTelemetry collector; files: rows of "
        "docs/ai-runs.md.",
    )
    signal: Literal["metrics", "spans"] = Field(
        default="metrics",
        description="otlp: which of the two tells of tokens; both tell of the same.",
    )


class CarbonSettings(FormattedSettings):
    """One source of grid intensity."""

    format: str = Field(
        default="carbon",
        pattern=r"^[a-z0-9_]+$",
        description="carbon (files with our columns), electricity_maps or watttime (saved "
        "answers, or their API), by docs/carbon.md.",
    )
    options: dict[str, str] = Field(
        default={},
        description="What the format asks for, by docs/carbon.md: `zones` to ask an API for.",
    )


class GridSettings(Section):
    """Which grid intensity counts for an hour, by docs/carbon.md."""

    gap_hours: int = Field(
        default=3,
        ge=0,
        le=23,
        description="Hours without a value that are filled from those beside them on the same "
        "UTC day; a longer gap stays one, and shows.",
    )
    yearly: bool = Field(
        default=False,
        description="Fill what is then still missing from the shipped table of yearly means.",
    )
    factors: Literal["lifecycle", "direct"] = Field(
        default="lifecycle",
        description="Emission factors that count; values that are known to have the other are "
        "left out.",
    )
    zones: dict[str, str] = Field(
        default={},
        description="Cloud region id -> grid zone, where the shipped map has none or another.",
    )


class LogSettings(FormattedSettings):
    """A log of monitored models."""

    options: dict[str, str] = Field(
        default={},
        description="What the format asks for beside the files: schema, a YAML file that says "
        "what the columns mean, by docs/prediction-logs.md.",
    )


class PredictionSettings(LogSettings):
    """One prediction log."""

    format: Literal["predictions", "prediction_log"] = Field(
        default="predictions",
        description="predictions: the columns of docs/your-own-data.md; prediction_log: columns "
        "of your own, with a declared schema.",
    )


class LabelSettings(LogSettings):
    """One log of labels."""

    format: Literal["labels", "label_log"] = Field(
        default="labels",
        description="labels: the columns of docs/your-own-data.md; label_log: columns of your "
        "own, with a declared schema.",
    )


MATCHER = r'[a-zA-Z_][a-zA-Z0-9_]*(=|!=|=~|!~)"([^"\\]|\\.)*"'
"""One label matcher of PromQL."""


class PrometheusSettings(Section):
    """How a store that speaks Prometheus's HTTP API is asked."""

    cluster: str | None = Field(
        default=None,
        min_length=1,
        description="Name of the one Kubernetes cluster that the store tells of.",
        examples=["my-cluster"],
    )
    cluster_label: str | None = Field(
        default=None,
        pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$",
        description="Label that carries the cluster's name, where the store tells of several.",
    )
    step_seconds: int = Field(
        default=300, ge=60, le=3600, description="Length of an interval; a divisor of a day."
    )
    scrape_seconds: int | None = Field(
        default=None,
        ge=1,
        le=900,
        description="Seconds between two samples of a series; empty: measured by metric and day.",
    )
    max_samples: int = Field(
        default=1_000_000,
        ge=1_000,
        le=50_000_000,
        description="Samples that one query may make the server read, by estimate; larger "
        "queries are split before they are sent.",
    )
    concurrency: int = Field(default=4, ge=1, le=32, description="Queries at a time.")
    timeout_seconds: int = Field(
        default=60, ge=1, le=600, description="How long one answer may take."
    )
    attempts: int = Field(
        default=8, ge=1, le=20, description="How often a query that failed is sent."
    )
    reach_days: int = Field(
        default=15,
        ge=1,
        le=3_660,
        description="Days back from today that the store is asked for; its retention.",
    )
    settle_minutes: int = Field(
        default=10, ge=0, le=1440, description="A day is read this long after it ended."
    )
    owners: Literal["kube_state_metrics", "pod"] = Field(
        default="kube_state_metrics",
        description="kube_state_metrics: pods belong to the workloads that own them; pod: each "
        "stands for itself.",
    )
    matchers: tuple[Annotated[str, Field(pattern=f"^{MATCHER}$")], ...] = Field(
        default=(), description="Label matchers of PromQL that every query carries."
    )

    @model_validator(mode="after")
    def _day_is_whole(self) -> PrometheusSettings:
        if (self.cluster is None) == (self.cluster_label is None):
            raise ValueError("name the cluster by `cluster`, or the label by `cluster_label`")
        if 86_400 % self.step_seconds:
            raise ValueError("step_seconds must divide a day: 60, 300, 600, 900")
        return self


class TelemetrySettings(SourceSettings):
    """Measurements, as files or from a store."""

    format: Literal["files", "prometheus"] = Field(
        default="files",
        description="files: Parquet or CSV at `path`; prometheus: `path` is the base URL of a "
        "store that speaks Prometheus's HTTP API.",
    )
    prometheus: PrometheusSettings | None = Field(
        default=None, description="With format: prometheus, how the store is asked."
    )

    @model_validator(mode="after")
    def _store_has_url(self) -> TelemetrySettings:
        if self.format == "files":
            if self.prometheus is not None:
                raise ValueError("`prometheus` needs format: prometheus")
            return self
        if self.prometheus is None:
            raise ValueError("format: prometheus needs a section `prometheus` with the cluster")
        if not isinstance(self.path, str) or not self.path.lower().startswith("http"):
            raise ValueError("with format: prometheus, path is the URL of its API, https://...")
        return self


class CredentialSettings(Section):
    """By what one source lets us in; only from the environment."""

    token: SecretStr | None = Field(default=None, description="Bearer token.")
    token_file: Path | None = Field(
        default=None, description="File with a bearer token, read anew for every request."
    )
    username: str | None = Field(default=None, description="User, with a password.")
    password: SecretStr | None = Field(default=None, description="Password of the user.")
    headers: dict[str, SecretStr] = Field(
        default={}, description="Headers that every request carries, as JSON."
    )
    client_cert: Path | None = Field(
        default=None, description="Client certificate (PEM) for mutual TLS."
    )
    client_key: Path | None = Field(default=None, description="Its key.")
    ca: Path | None = Field(
        default=None, description="Certificates (PEM) of the authority to trust."
    )

    def plain(self) -> dict[str, str]:
        """token, username, password, as far as they are set."""
        found = {
            "token": self.token and self.token.get_secret_value(),
            "username": self.username,
            "password": self.password and self.password.get_secret_value(),
        }
        return {name: text for name, text in found.items() if text}


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
        description="API of the GitHub server.",
    )

    @model_validator(mode="after")
    def _repository_fits_forge(self) -> DesiredStateSettings:
        owner, slash, name = self.repository.partition("/")
        if self.forge == "github" and not (owner and slash and name and "/" not in name):
            raise ValueError("with forge: github, repository must be OWNER/NAME")
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


class SizingSettings(Section):
    """How container requests are sized."""

    history_days: int = Field(default=14, ge=7, le=60, description="Evidence window, in days.")
    max_change_share: float = Field(
        default=0.5, gt=0, lt=1, description="A request is cut by at most this share at once."
    )


class MatchingSettings(Section):
    """How what is billed, measured and declared is told to be one resource."""

    cost_days: int = Field(
        default=28, ge=1, le=366, description="Days of costs that are matched, up to the decided."
    )
    measured_days: int = Field(
        default=7, ge=1, le=92, description="Days of measurements that are matched."
    )
    ignored_namespaces: tuple[str, ...] = Field(
        default=("kube-system", "kube-public", "kube-node-lease"),
        description="Namespaces whose workloads no repository of yours declares.",
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


class Rung(StrEnum):
    """The autonomy ladder: how far automation goes by itself."""

    OBSERVE = "observe"
    PROPOSE = "propose"


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
        description="observe: decide only; propose: pull requests that people merge.",
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
    models: tuple[ModelSettings, ...] = Field(default=(), description="AI models to watch.")
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
    sizing: SizingSettings = Field(default=SizingSettings(), description="Sizing of requests.")
    matching: MatchingSettings = Field(
        default=MatchingSettings(), description="Matching of bill, measurements and repository."
    )
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
        return _drop_empty(cls, data)

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
            self.models,
        )
        for group in groups:
            names = [item.name for item in group]
            repeated = {name for name in names if names.count(name) > 1}
            if repeated:
                raise ValueError(f"names must differ: {', '.join(sorted(repeated))}")
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
