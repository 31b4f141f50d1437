"""What changed from one card of an engine to the next, and whether its figures got better.

Whether a new version may replace an old one is decided elsewhere, by a paired test: here two days
stand beside each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from finops_dagster.responsible_ai.cards.card import METRICS, Card, SegmentMetrics

Part = Literal["version", "code", "data", "features", "parameters", "limits", "metrics"]
Verdict = Literal["", "better", "worse", "too few cases"]

LEAST_CASES = 20
"""Figures of fewer cases, before or now, are shown and called neither better nor worse."""
LEAST_MOVE = 0.01
"""Relative to what it was (of a share, absolute): a smaller move is none."""


class Change(BaseModel):
    """One thing that is not as it was."""

    model_config = ConfigDict(frozen=True)

    part: Part
    what: str
    before: str
    """Empty where it was not there."""
    after: str
    verdict: Verdict = ""


class CardDiff(BaseModel):
    """Two cards of one engine, the later held against the earlier."""

    model_config = ConfigDict(frozen=True)

    name: str
    before: date
    after: date
    changes: tuple[Change, ...]

    def of(self, part: Part) -> tuple[Change, ...]:
        """Changes of one part."""
        return tuple(one for one in self.changes if one.part == part)

    def counted(self, verdict: Verdict) -> int:
        """How many figures are called so."""
        return sum(one.verdict == verdict for one in self.changes)


def diff(before: Card, after: Card) -> CardDiff:
    """Changes in the order of a card. Raises ValueError for cards of two engines."""
    if before.name != after.name:
        raise ValueError(f"{before.name} and {after.name} are two engines")
    changes = (*_made(before, after), *_told(before, after), *_figures(before, after))
    return CardDiff(name=after.name, before=before.as_of, after=after.as_of, changes=changes)


def _made(before: Card, after: Card) -> Iterator[Change]:
    if before.version != after.version:
        yield Change(part="version", what="version", before=before.version, after=after.version)
    if before.code_version != after.code_version:
        yield Change(part="code", what="code", before=before.code_version, after=after.code_version)
    for name in ("first", "last", "rows", "hash"):
        was, now = getattr(before.data, name), getattr(after.data, name)
        if was != now:
            yield Change(part="data", what=name, before=_text(was), after=_text(now))


def _told(before: Card, after: Card) -> Iterator[Change]:
    for part, was, now in (
        ("features", before.features, after.features),
        ("limits", before.limits, after.limits),
    ):
        for gone in (one for one in was if one not in now):
            yield Change(part=part, what=part, before=gone, after="")
        for new in (one for one in now if one not in was):
            yield Change(part=part, what=part, before="", after=new)
    for name in sorted({*before.parameters, *after.parameters}):
        old, new_ = before.parameters.get(name), after.parameters.get(name)
        if old != new_:
            yield Change(part="parameters", what=name, before=_text(old), after=_text(new_))


def _figures(before: Card, after: Card) -> Iterator[Change]:
    was = {one.segment: one for one in before.metrics}
    now = {one.segment: one for one in after.metrics}
    for segment in (*now, *(one for one in was if one not in now)):
        yield from _segment(segment, was.get(segment), now.get(segment))


def _segment(
    segment: str, was: SegmentMetrics | None, now: SegmentMetrics | None
) -> Iterator[Change]:
    old, new = was.values if was else {}, now.values if now else {}
    few = min(was.cases if was else 0, now.cases if now else 0) < LEAST_CASES
    for name in (*new, *(one for one in old if one not in new)):
        a, b = old.get(name), new.get(name)
        verdict = ""
        if a is not None and b is not None:
            if not moved(name, a, b):
                continue
            verdict = judged(name, a, b)
            if verdict and few:
                verdict = "too few cases"
        yield Change(
            part="metrics",
            what=f"{segment}: {name}",
            before=_text(a),
            after=_text(b),
            verdict=verdict,
        )


def moved(name: str, before: float, after: float) -> bool:
    """Whether a figure is another: by a hundredth of what it was, of a share by 0.01."""
    scale = 1.0 if name in METRICS and METRICS[name].unit == "share" else abs(before)
    return abs(after - before) >= LEAST_MOVE * scale and after != before


def judged(name: str, before: float, after: float) -> str:
    """better, worse, or nothing where a figure has no goal."""
    goal = METRICS[name].goal if name in METRICS else None
    if goal is None:
        return ""
    if goal == "low":
        nearer = after < before
    elif goal == "high":
        nearer = after > before
    else:
        nearer = abs(after - goal) < abs(before - goal)
    return "better" if nearer else "worse"


def _text(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
