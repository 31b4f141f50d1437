"""Keys of forecasts: what is known of costs to come.

How a file becomes these types is the business of `reading`; the other keys are in `model`.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from finops_dagster.domain.events import Event
from finops_dagster.settings.types import Section


class EventSettings(Event, Section):
    """Something to come that changes what is spent."""


class ForecastSettings(Section):
    """What forecasts of cost are told beside the bills."""

    events: tuple[EventSettings, ...] = Field(
        default=(),
        description="What is known of costs to come: an end of a commitment, a migration, a price "
        "change, by docs/accuracy.md.",
    )

    @model_validator(mode="after")
    def _names_differ(self) -> ForecastSettings:
        names = [one.name for one in self.events]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"names of events must differ: {', '.join(repeated)}")
        return self
