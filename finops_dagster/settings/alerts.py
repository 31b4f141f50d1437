"""Keys of alerts: how much people are told of incidents.

How a file becomes these types is the business of `reading`; the other keys are in `model`.
"""

from __future__ import annotations

from pydantic import Field

from finops_dagster.settings.types import Section


class AlertSettings(Section):
    """How many incidents people are told of."""

    per_team_and_day: int = Field(
        default=3,
        ge=0,
        le=100,
        description="Incidents that a team is told of in a day at most, in each currency; the "
        "largest first. The others stand on the pages and are told when there is room.",
    )
    cool_off_days: int = Field(
        default=7,
        ge=0,
        le=90,
        description="After an alert, days without another of the same costs unless they have "
        "doubled.",
    )
