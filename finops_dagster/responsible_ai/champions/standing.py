"""Which artefact is in use on a day, from what was written down of it before, and why it stays.

What is written down, and what training costs, is the caller's business.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

KEPT_SERIES = 3
"""Series named in a reason; the rest are counted."""


class EngineEvent(BaseModel):
    """One thing that was done about an engine, as the ledger keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engine: str
    what: Literal["trained", "served", "promoted", "held_back", "rolled_back", "unpinned"]
    artefact: str
    """SHA-256 of its bytes: trained, served, proposed, or gone back to."""
    as_of: date
    reasons: tuple[str, ...]
    recipe: str = ""
    replaces: str = ""
    """The artefact in use before, where it is another."""
    figures: dict[str, float] = {}
    """What a promotion rests on: measured values and their limits."""


@dataclass(frozen=True)
class Standing:
    """What is in use on a day."""

    champion: str = ""
    """Empty where nothing was trained yet."""
    since: date | None = None
    reasons: tuple[str, ...] = ()
    pinned: bool = False
    """A person went back to it: it stays until it is let go."""
    declared: bool = False
    """Git says so."""
    candidate: str = ""
    """The newest artefact that was trained and is not in use: proposed, or in shadow."""
    earlier: tuple[str, ...] = ()
    """Those that were in use before, the newest first."""


def standing(
    events: Iterable[EngineEvent], as_of: date, declared: tuple[str, bool] | None = None
) -> Standing:
    """What is in use on `as_of`: only what was written down on an earlier day counts.

    So a day decided again finds what it found then. `declared`: artefact and whether it is pinned,
    as a manifest says; it is in use whatever the events say.
    """
    now = Standing()
    for one in events:
        if one.as_of >= as_of:
            continue
        if one.what == "unpinned":
            now = _with(now, pinned=False)
        elif one.what in ("promoted", "rolled_back") or (one.what == "trained" and not now.pinned):
            back = one.what == "rolled_back"
            now = _used(now, one, pinned=back or (now.pinned and one.what != "promoted"))
        if one.what in ("trained", "promoted"):
            now = _with(now, candidate=one.artefact)
    if declared is not None and declared[0]:
        same = now.champion == declared[0]
        earlier = now.earlier if same else _before(now.champion, now.earlier, declared[0])
        now = Standing(
            champion=declared[0],
            since=now.since if same else None,
            reasons=now.reasons if same else ("The manifest names it.",),
            pinned=declared[1] or (now.pinned and same),
            declared=True,
            candidate=now.candidate,
            earlier=earlier,
        )
    return now if now.candidate != now.champion else _with(now, candidate="")


def _with(now: Standing, **changes: object) -> Standing:
    return Standing(**{**now.__dict__, **changes})


def _used(now: Standing, event: EngineEvent, pinned: bool) -> Standing:
    if event.artefact == now.champion:
        return _with(now, pinned=pinned)
    return _with(
        now,
        champion=event.artefact,
        since=event.as_of,
        reasons=event.reasons,
        pinned=pinned,
        earlier=_before(now.champion, now.earlier, event.artefact),
    )


def _before(champion: str, earlier: tuple[str, ...], now: str) -> tuple[str, ...]:
    """Earlier artefacts once `now` is in use: each once, by when it was last used."""
    return tuple(dict.fromkeys(one for one in (champion, *earlier) if one and one != now))


@dataclass(frozen=True)
class Evidence:
    """What speaks for training anew, as it is known on a day."""

    trained_until: date | None
    """The last day that the champion learnt from."""
    new_series: tuple[str, ...] = ()
    gone_series: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    """Sentences: coverage or bias in alarm, inputs that drift, since it was trained."""
    code: str = ""
    """What of the code is no longer what it was trained with; empty where it is the same."""


def why_train(now: Standing, evidence: Evidence, as_of: date, max_age_days: int) -> tuple[str, ...]:
    """Why a model is to be trained anew; empty where the champion is to be used as it is."""
    if not now.champion:
        return ("Nothing was trained before.",)
    if now.pinned:
        return ()
    reasons = list(evidence.alarms)
    if evidence.new_series:
        reasons.append(f"Series that it has not learnt from: {_named(evidence.new_series)}.")
    if evidence.gone_series:
        reasons.append(f"Series that ended: {_named(evidence.gone_series)}.")
    if evidence.code:
        reasons.append(evidence.code)
    if evidence.trained_until is not None:
        age = (as_of - evidence.trained_until).days
        if age > max_age_days:
            reasons.append(
                f"It learnt from nothing of the last {age} days; {max_age_days} are allowed."
            )
    return tuple(reasons)


def _named(series: tuple[str, ...]) -> str:
    told = ", ".join(series[:KEPT_SERIES])
    more = len(series) - KEPT_SERIES
    return f"{told} and {more} more" if more > 0 else told
