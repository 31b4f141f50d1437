"""Keys of the sources: where each delivers, in what format, and how it is asked.

How a file becomes these types is the business of `reading`; the other keys are in `model`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, model_validator

from finops_dagster.settings.types import Place, Section, place


def _tracking_place(value: Any) -> Any:
    """As `types.place`; of the addresses of SQL stores those of SQLite files are paths."""
    if isinstance(value, str) and value.lower().startswith("sqlite:///"):
        return Path(value[len("sqlite:///") :])
    if isinstance(value, str) and re.match(r"(?i)(postgres|mysql|mssql)\w*(\+\w+)?:", value):
        raise ValueError(
            "the URL of a tracking server, or a SQLite file: of a store in another database "
            "its server is asked"
        )
    return place(value)


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
        description="mlflow: the server's URL, or its SQLite file (sqlite:///PATH too); else: a "
        "file or directory, or a URL of them.",
        examples=["http://mlflow.internal:5000"],
    )
    format: Literal["mlflow", "files", "versions", "pods"] = Field(
        default="mlflow",
        description="mlflow: tracking server or store; files: rows of docs/ai-runs.md; versions: "
        "versions of registered models, likewise; pods: labels of pods, from which runs of "
        "pipelines are told.",
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
    pod_labels: tuple[Annotated[str, Field(min_length=1, max_length=253)], ...] = Field(
        default=(),
        max_length=50,
        description="Labels of pods that are landed for allocation, where kube-state-metrics shows "
        "them (--metric-labels-allowlist): team, app.kubernetes.io/name.",
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

    def revealed(self) -> dict[str, Any]:
        """Every key, secrets as text."""
        return {
            **self.model_dump(),
            "token": self.token and self.token.get_secret_value(),
            "password": self.password and self.password.get_secret_value(),
            "headers": {name: text.get_secret_value() for name, text in self.headers.items()},
        }

    def plain(self) -> dict[str, str]:
        """token, username, password, as far as they are set."""
        revealed = self.revealed()
        return {
            name: revealed[name] for name in ("token", "username", "password") if revealed[name]
        }
