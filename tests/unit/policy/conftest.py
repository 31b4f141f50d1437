"""The shipped bundle, and one proposal with its context that tests vary. No tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.decisions import Evidence, FindingKind, Proposal
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.policy.bundle import RegoBundle

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def bundle() -> RegoBundle:
    return RegoBundle.load(ROOT / "policies")


@pytest.fixture
def propose() -> Callable[..., Proposal]:
    """A CPU cut from 1 core to 500m in staging with 0.4 cores observed; keywords replace parts."""

    def make(saving: str = "20", figures: dict[str, float] | None = None, **parts: Any) -> Proposal:
        amount = Decimal(saving)
        values: dict[str, Any] = {
            "finding_id": "finding-1",
            "key": "key-1",
            "kind": FindingKind.RIGHTSIZE_CPU,
            "resource": "Deployment/shop/checkout",
            "field": "spec.template.spec.containers[name=server].resources.requests.cpu",
            "current": "1",
            "proposed": "500m",
            "owner": "checkout",
            "environment": "staging",
            "saving_per_month": MoneyRange(low=amount, mid=amount, high=amount, currency="USD"),
            "carbon_kg_per_month": Range(low=1, mid=2, high=3),
            "risk": 0.01,
            "confidence": 0.9,
            "evidence": Evidence(
                window_start=datetime(2026, 3, 1, tzinfo=UTC),
                window_end=datetime(2026, 3, 15, tzinfo=UTC),
                samples=4032,
                figures={"p95_cores": 0.4} if figures is None else figures,
            ),
            "reason": "It used 0.4 cores at most.",
            "reconstructed": False,
            "publication_id": "publication-1",
            "as_of": date(2026, 3, 15),
        }
        return Proposal(**(values | parts))

    return make


@pytest.fixture
def context() -> dict[str, Any]:
    """The resource as it is declared, and what its team spends."""
    labels = {"team": "checkout", "environment": "staging", "cost-center": "cc-1"}
    return {
        "resource": {
            "kind": "Deployment",
            "namespace": "shop",
            "name": "checkout",
            "labels": labels,
            "annotations": {},
            "manifest": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "checkout", "namespace": "shop", "labels": labels},
                "spec": {
                    "replicas": 3,
                    "template": {
                        "spec": {
                            "containers": [
                                {
                                    "name": "server",
                                    "resources": {"requests": {"cpu": "1", "memory": "1Gi"}},
                                }
                            ]
                        }
                    },
                },
            },
        },
        "environment": "staging",
        "team": "checkout",
        "spend": {
            "team_month_to_date": Decimal("400"),
            "team_forecast": Decimal("1000"),
            "currency": "USD",
        },
    }
