"""Keys of finops.yaml about pull requests: grouping, limits, timing, memory and the breaker.

How many are open is among the limits; what of this means what on a forge is the business of gitops.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from pydantic import Field, model_validator

from finops_dagster.settings.cron import Cron
from finops_dagster.settings.types import Section


class FreezeSettings(Section):
    """Days on which nothing is opened or merged automatically."""

    first: date = Field(description="First day, UTC.", examples=["2026-12-20"])
    last: date = Field(description="Last day, UTC.", examples=["2027-01-02"])
    reason: str = Field(
        min_length=1, max_length=200, description="Told to people.", examples=["year end"]
    )

    @model_validator(mode="after")
    def _in_order(self) -> FreezeSettings:
        if self.last < self.first:
            raise ValueError("last must not be before first")
        return self


class BreakerSettings(Section):
    """When automation stops by itself, until a person resets it."""

    window_days: int = Field(default=14, ge=1, le=180, description="Days that are looked back on.")
    changes_of_one_value: int = Field(
        default=2, ge=1, le=20, description="Merged changes of one value in the window at most."
    )
    reverts: int = Field(
        default=3, ge=1, le=100, description="Reverts of one kind in the window that stop it."
    )
    reverts_in_all: int = Field(
        default=5, ge=1, le=200, description="Reverts of any kind in the window that stop all."
    )
    oom_kills_ratio: float = Field(
        default=2.0,
        gt=1,
        le=100,
        description="OOM kills a day of changed workloads after their merges, over those before, "
        "from which their kind is stopped.",
    )
    cost_rise: float = Field(
        default=0.2,
        gt=0,
        le=10,
        description="Share by which the cost of changed resources rose after their merges, where "
        "a fall was promised, from which their team is stopped.",
    )


class PullRequestSettings(Section):
    """How pull requests are put together, when they are opened, and what is remembered."""

    group_by: Literal["value", "team", "file", "kind"] = Field(
        default="value",
        description="value: one change each; team, file, kind: changes that share it come as one "
        "pull request, within max_lines and max_risk.",
    )
    max_lines: int = Field(
        default=10, ge=1, le=500, description="Lines that one pull request changes at most."
    )
    max_risk: float = Field(
        default=0.05,
        gt=0,
        le=1,
        description="Risk that the changes of a group add up to at most: the probability that any "
        "of them harms, taken as independent.",
    )
    money_per_team_per_day: Decimal | None = Field(
        default=None,
        gt=0,
        description="Expected savings (or added costs) a month of what is opened for one team on a "
        "day at most, in each currency; empty: no limit.",
    )
    schedule: Cron | None = Field(
        default=None,
        description="Cron, UTC: pull requests are opened in the hours that it names; empty: "
        "always.",
        examples=["* 7-16 * * 1-5"],
    )
    freezes: tuple[FreezeSettings, ...] = Field(
        default=(),
        description="Days on which nothing is opened or merged automatically.",
        examples=[[{"first": "2026-12-20", "last": "2027-01-02", "reason": "year end"}]],
    )
    cool_off_days: int = Field(
        default=90,
        ge=1,
        le=3660,
        description="Days for which a rejected change is not opened again.",
    )
    revert_cool_off_days: int = Field(
        default=180,
        ge=1,
        le=3660,
        description="Days for which a reverted change is not opened again.",
    )
    evidence_change: float = Field(
        default=0.2,
        gt=0,
        le=10,
        description="A rejected change is opened again earlier where the value it would set, or "
        "its expected saving, differs by this share from what was rejected.",
    )
    dashboard: bool = Field(
        default=True, description="Keep the dashboard issue with what is not opened yet."
    )
    breaker: BreakerSettings = Field(
        default=BreakerSettings(), description="When automation stops by itself."
    )
    commit_name: str = Field(
        default="finops", pattern=r"^[^<>\n]{1,100}$", description="Author of commits."
    )
    commit_email: str = Field(
        default="finops@localhost",
        pattern=r"^[^<>\s]{1,200}$",
        description="Address of that author.",
    )
