"""Keys of where and when movable work runs: labels that say so, weights, regions, transfer.

What is made of them is the engine's business; the other keys are in `model`.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated

from pydantic import Field, model_validator

from finops_dagster.settings.types import Section

_Weight = Annotated[float, Field(ge=0, le=100)]


class WeightSettings(Section):
    """What one percent of each is worth beside one percent of the others."""

    cost: _Weight = Field(default=1.0, description="Of the cost a month of where it runs now.")
    carbon: _Weight = Field(default=1.0, description="Of its emissions a month now.")
    risk: _Weight = Field(
        default=1.0,
        description="Of the chance that a day emits more there than it would have where it runs.",
    )

    @model_validator(mode="after")
    def _something_counts(self) -> WeightSettings:
        if self.cost == self.carbon == self.risk == 0:
            raise ValueError("one weight must be above 0, or nothing can be chosen by them")
        return self


class PlacementSettings(Section):
    """Where and when work runs that is labelled movable; without such a label nothing is said."""

    start_labels: tuple[str, ...] = Field(
        default=("finops/start-between",),
        description="Labels or annotations that say between which hours work may start, such as "
        "22-06: hours of its schedule's time zone, both included.",
    )
    movable_labels: tuple[str, ...] = Field(
        default=("finops/movable=true", "finops/latency-bound=false"),
        description="Labels or annotations, KEY=VALUE, that say that work may run in another "
        "region.",
    )
    latency_labels: tuple[str, ...] = Field(
        default=("finops/max-latency-ms",),
        description="Labels or annotations that say how many milliseconds away from where it is "
        "now movable work may be at most.",
    )
    weights: WeightSettings = Field(
        default=WeightSettings(), description="By what a region is chosen."
    )
    regions: dict[str, tuple[str, ...]] = Field(
        default={},
        description="Team or environment, or * for all -> cloud region ids that its work may be "
        "in (residency). Where several hold, a region must be in each; where none does, no region "
        "is proposed.",
    )
    latencies_ms: dict[str, dict[str, Annotated[float, Field(ge=0)]]] = Field(
        default={},
        description="Cloud region id -> another one -> milliseconds there and back.",
    )
    transfer_prices_per_gb: dict[
        Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[Decimal, Field(ge=0)]
    ] = Field(
        default={},
        description="Currency -> price of a GB (1e9 bytes) sent from one region to another; "
        "without one no region is proposed for work billed in it that sends or receives.",
    )

    carbon_prices_per_kg: dict[
        Annotated[str, Field(pattern=r"^[A-Z]{3}$")], Annotated[Decimal, Field(ge=0)]
    ] = Field(
        default={},
        description="Currency -> what a kg of CO2e less is worth: a better hour saves no money, "
        "and is proposed as a change where its carbon is worth limits.min_saving_per_month; "
        "without a price it is only told.",
    )

    @model_validator(mode="after")
    def _labels_have_values(self) -> PlacementSettings:
        for label in self.movable_labels:
            key, _, value = label.partition("=")
            if not key or not value:
                raise ValueError(f"movable_labels: {label!r} is not KEY=VALUE")
        return self
