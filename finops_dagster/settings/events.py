"""Keys of known events: what is known of costs to come.

How a file becomes these types is the business of `reading`; the other keys are in `model`.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_dagster.domain.events import Event
from finops_dagster.settings.types import Section


class EventSettings(Event, Section):
    """Something to come that changes what is spent."""


def names_differ(events: Sequence[EventSettings]) -> Sequence[EventSettings]:
    """The same; raises ValueError where two go by one name."""
    names = [one.name for one in events]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"names of events must differ: {', '.join(repeated)}")
    return events
