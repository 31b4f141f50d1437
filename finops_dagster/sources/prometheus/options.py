"""What a Prometheus source is told: whose data, how much at once, and by what it is let in.

Where these come from is the business of the settings; nothing is read here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal


@dataclass(frozen=True)
class Credentials:
    """By what a store lets us in; empty where it is open. Values never show in a `repr`."""

    token: str | None = field(default=None, repr=False)
    """Sent as `Authorization: Bearer`."""
    token_file: Path | None = None
    """Read anew for every request: Kubernetes renews such tokens."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    client_cert: Path | None = None
    client_key: Path | None = None
    ca: Path | None = None


@dataclass(frozen=True)
class PrometheusOptions:
    """How one store is asked. Exactly one of `cluster` and `cluster_label` is set."""

    cluster: str | None = None
    """The name of the one cluster that the store tells of."""
    cluster_label: str | None = None
    """The label that carries it where it tells of several."""
    step_seconds: int = 300
    """Length of an interval; a divisor of a day."""
    scrape_seconds: int | None = None
    """Between two samples of a series; None: measured by metric and day."""
    max_samples: int = 1_000_000
    """What one query may make the server read, by estimate."""
    concurrency: int = 4
    timeout_seconds: float = 60
    attempts: int = 8
    reach_days: int = 15
    """Days before today that are asked for at most."""
    settle_minutes: int = 10
    """After a day's end, until its last samples are there."""
    owners: Literal["kube_state_metrics", "pod"] = "kube_state_metrics"
    matchers: tuple[str, ...] = ()
    pod_labels: tuple[str, ...] = ()
    """Labels of pods that are landed, as people write them."""

    def __post_init__(self) -> None:
        if (self.cluster is None) == (self.cluster_label is None):
            raise ValueError("exactly one of cluster and cluster_label is needed")
        if 86_400 % self.step_seconds:
            raise ValueError("step_seconds must divide a day")

    @property
    def label_series(self) -> tuple[str, ...]:
        """`pod_labels` as kube-state-metrics writes them: `app.kubernetes.io/name` as
        `app_kubernetes_io_name`."""
        return tuple(dict.fromkeys(_sanitised(label) for label in self.pod_labels))


def _sanitised(label: str) -> str:
    """kube-state-metrics, internal/store/utils.go: sanitizeLabelName, toSnakeCase."""
    plain = re.sub(r"[^a-zA-Z0-9_]", "_", label)
    return re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", plain).lower()
