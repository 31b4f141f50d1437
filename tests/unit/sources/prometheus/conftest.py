"""A day of two replicas of one Deployment in a store, and a source over it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.sources.prometheus import Credentials, PrometheusOptions, PrometheusSource
from tests.unit.sources.prometheus.store import Store

DAY = date(2026, 1, 5)
START = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp())
AFTER = datetime(2026, 1, 6, 1, tzinfo=UTC)


def every(
    seconds: int, value: Callable[[int], float], first: int = START, until: int = START + 86_400
) -> dict[int, float]:
    """Samples from `first` to `until`, excluded; `value` is of seconds since `first`."""
    return {at: value(at - first) for at in range(first, until, seconds)}


def add_pod(
    store: Store, pod: str, owner: str = "cart-66d", *, cores: float = 0.5, **window: int
) -> None:
    """CPU, memory, requests and owner of one pod with one container, every 5 minutes."""
    labels = {"namespace": "shop", "pod": pod, "container": "web"}
    until = window.pop("until", START + 86_400)
    ends = until + 300
    store.add(
        "container_cpu_usage_seconds_total",
        every(300, lambda s: cores * s, until=ends, **window),
        **labels,
    )
    store.add(
        "container_memory_working_set_bytes",
        every(300, lambda s: 100.0 + s % 900, until=until, **window),
        **labels,
    )
    store.add(
        "kube_pod_container_resource_requests",
        every(300, lambda s: 2.0, until=until, **window),
        resource="cpu",
        **labels,
    )
    store.add(
        "kube_pod_owner",
        every(300, lambda s: 1.0, until=until, **window),
        namespace="shop",
        pod=pod,
        owner_kind="ReplicaSet",
        owner_name=owner,
        owner_is_controller="true",
    )


@pytest.fixture
def store() -> Store:
    store = Store()
    add_pod(store, "cart-66d-x2k4q")
    add_pod(store, "cart-66d-9bbcd", cores=0.25)
    store.add(
        "kube_replicaset_owner",
        every(300, lambda s: 1.0),
        namespace="shop",
        replicaset="cart-66d",
        owner_kind="Deployment",
        owner_name="cart",
    )
    return store


@pytest.fixture
def open_store(tmp_path: Path) -> Callable[..., PrometheusSource]:
    """A source over the store at a URL; `options` change how it is asked."""

    def opened(
        url: str,
        *,
        folder: Path | None = None,
        now: datetime = AFTER,
        credentials: Credentials | None = None,
        **options: Any,
    ) -> PrometheusSource:
        given = {"cluster": "c1", "reach_days": 2, "step_seconds": 3600, "concurrency": 2}
        return PrometheusSource(
            "prom-a",
            url,
            PrometheusOptions(**{**given, **options}),
            folder or tmp_path / "mirror",
            credentials or Credentials(),
            now=lambda: now + timedelta(0),
            sleep=lambda seconds: None,
        )

    return opened
