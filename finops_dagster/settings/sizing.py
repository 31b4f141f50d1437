"""Keys of finops.yaml about sizing, matching and idle GPUs.

The rules themselves are in the engines.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from finops_dagster.settings.types import Section

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
