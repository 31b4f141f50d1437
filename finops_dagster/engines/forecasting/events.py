"""Known events on top of a forecast that was learnt without them: price changes, migrations, ends.

What an event is, is told by the domain; which costs a series is made of, by the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.dated import fits
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.events import EVENT_DIMENSIONS, Event
from finops_dagster.engines.forecasting.reconcile import explained

EVENT = "event: {}"
"""The feature of an explanation that holds what an event has added."""
RECENT_DAYS = 28
"""Days up to the newest known by which it is told how much of a series an event is of: four weeks,
so that each weekday counts alike."""


@dataclass(frozen=True)
class Makeup:
    """What series are made of lately: costs by what events may ask, and the series they are in."""

    costs: pd.DataFrame
    """team, service, account (text or None), currency, and cost: the sum of absolute daily costs,
    so that credits do not cancel what they are given for. One row a part."""
    members: pd.DataFrame
    """part (row number of `costs`), unique_id: a part is in as many series as count it."""


@dataclass(frozen=True)
class Applied:
    """A forecast that known events have moved."""

    frame: pd.DataFrame
    contributions: pd.DataFrame
    applied: tuple[Event, ...]
    abstained: list[Abstained]
    """Events that change nothing, and why."""


def apply_events(
    frame: pd.DataFrame,
    contributions: pd.DataFrame,
    events: Sequence[Event],
    makeup: Makeup,
    newest: date,
    as_of: date,
) -> Applied:
    """Add every event that is known by `as_of` and begins after `newest`, the last known day.

    A share changes a series' mean by that share of what the event is of in it; an amount is added
    to each series by its part of all that the event is of, in its currency. On days of the event
    the ends of intervals move with the mean; where a share makes the mean grow, they also grow
    apart by it, and they never come closer: plans slip. Events add up, each a change of what was
    learnt.

    An event that began on `newest` or before is in the costs that are known, and its level is
    learnt from them within a week: to apply it again would count it twice. One that is not known
    by `as_of` is as if it were not there, and one that tells no change explains incidents alone.
    """
    days = pd.to_datetime(frame["ds"])
    applied: list[Event] = []
    abstained: list[Abstained] = []
    means = frame["mean"].to_numpy(dtype=float)
    moved, wider = np.zeros(len(frame)), np.zeros(len(frame))
    for event in events:
        if not event.is_known(as_of) or frame.empty or event.from_ > days.max().date():
            continue
        if event.change is None and event.amount is None:
            continue
        subject = EVENT.format(event.name)
        if event.from_ <= newest:
            reason = f"not applied: it began on {event.from_}, and costs are known up to {newest}"
            abstained.append(Abstained(subject=subject, reason=reason))
            continue
        share = frame["unique_id"].map(_shares(event, makeup)).fillna(0.0).to_numpy()
        if not share.any():
            reason = (
                f"not applied: nothing that it is of cost anything in the {RECENT_DAYS} days up to "
                f"{newest}"
            )
            abstained.append(Abstained(subject=subject, reason=reason))
            continue
        running = days >= pd.Timestamp(event.from_)
        if event.until is not None:
            running &= days <= pd.Timestamp(event.until)
        grown = np.where(running, share * (event.change or 0.0), 0.0)
        added = grown * means + np.where(running, share * float(event.amount or 0), 0.0)
        applied.append(event)
        moved += added
        wider += grown
        told = frame[["unique_id", "step"]].assign(added=added)
        contributions = explained(contributions, told, subject, "added")
    bands = {
        str(name): frame[name].to_numpy(dtype=float)
        for name in frame
        if str(name)[:2] in ("lo", "hi")
    }
    return Applied(
        frame.assign(
            mean=means + moved,
            **{
                name: means + moved + (end - means) * (1 + np.maximum(wider, 0.0))
                for name, end in bands.items()
            },
        ),
        contributions,
        tuple(applied),
        abstained,
    )


def _shares(event: Event, makeup: Makeup) -> pd.Series:
    """By unique_id: the share of the series that a change is of, or of an amount that it takes."""
    inside = _parts(event, makeup.costs)
    if event.amount is not None:
        inside &= (makeup.costs["currency"] == event.currency).to_numpy()
    cost = makeup.costs["cost"].to_numpy(dtype=float)
    parts = makeup.members["part"].to_numpy(dtype=int)
    of = pd.DataFrame(
        {
            "unique_id": makeup.members["unique_id"],
            "all": cost[parts],
            "inside": np.where(inside, cost, 0.0)[parts],
        }
    )
    summed = of.groupby("unique_id")[["all", "inside"]].sum()
    whole = summed["all"] if event.amount is None else cost[inside].sum()
    return (summed["inside"] / whole).where(summed["inside"] > 0, 0.0)


def _parts(event: Event, costs: pd.DataFrame) -> np.ndarray:
    """Which rows of `costs` the event is of."""
    return np.array([fits(event.of, row) for row in records(costs[list(EVENT_DIMENSIONS)])], bool)


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of text as dicts, None where there is none."""
    return [
        {str(name): None if pd.isna(value) else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
