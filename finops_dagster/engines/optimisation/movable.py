"""Which work is labelled movable, and within which bounds, by labels and annotations.

What is made of it, in hours and in regions, is judged elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from finops_dagster.domain.decisions import Abstained


@dataclass(frozen=True)
class LabelKeys:
    """Labels and annotations that say what may be moved; the first of each that is there wins."""

    start: tuple[str, ...] = ("finops/start-between",)
    """Whose value is the hours between which it may start, `22-06`, both included."""
    movable: tuple[str, ...] = ("finops/movable=true", "finops/latency-bound=false")
    """KEY=VALUE of work that may run in another region."""
    latency: tuple[str, ...] = ("finops/max-latency-ms",)
    """Whose value is the milliseconds that it may be away from where it is now at most."""

    def names(self) -> frozenset[str]:
        """Every key, as kube-state-metrics writes it."""
        movable_keys = (one.partition("=")[0] for one in self.movable)
        return frozenset(_plain(key) for key in (*self.start, *movable_keys, *self.latency))


@dataclass(frozen=True)
class Movable:
    """What the labels of one resource allow."""

    hours: tuple[int, ...]
    """Hours of the day at which it may start, earliest first; empty: as it is."""
    regions: bool
    """Whether it may run in another region."""
    max_latency_ms: float | None
    """How far away from where it is now; None where no label bounds it."""


def movable(
    labels: Mapping[str, Mapping[str, str]], keys: LabelKeys
) -> tuple[dict[str, Movable], list[Abstained]]:
    """What labels allow, by resource; resources whose labels allow nothing are not in it.

    `labels`: resource -> key -> value. A key counts as it is written and as kube-state-metrics
    writes it (`finops_movable`). A label that cannot be read allows nothing, and is told.
    """
    found: dict[str, Movable] = {}
    unread: list[Abstained] = []
    for resource in sorted(labels):
        own = {_plain(key): value.strip() for key, value in labels[resource].items()}
        hours: tuple[int, ...] = ()
        latency: float | None = None
        anywhere = any(
            own.get(_plain(key), "").lower() == value.lower()
            for key, _, value in (one.partition("=") for one in keys.movable)
        )
        start, bound = _first(own, keys.start), _first(own, keys.latency)
        if start is not None:
            hours = start_hours(start)
            if not hours:
                reason = f"its label of start hours is {start[:40]!r}; asked for is such as 22-06"
                unread.append(Abstained(subject=resource, reason=reason))
        if bound is not None and anywhere:
            latency = _milliseconds(bound)
            if latency is None:
                anywhere = False
                reason = f"its label of latency is {bound[:40]!r}; asked for is a number such as 80"
                unread.append(Abstained(subject=resource, reason=reason))
        if hours or anywhere:
            found[resource] = Movable(hours, anywhere, latency)
    return found, unread


def start_hours(text: str) -> tuple[int, ...]:
    """Hours of `FROM-TO`, both included, over midnight where FROM is later; empty if unread."""
    match = re.fullmatch(r"([0-9]{1,2})-([0-9]{1,2})", text, flags=re.ASCII)
    if match is None:
        return ()
    first, last = int(match[1]), int(match[2])
    if first > 23 or last > 23:
        return ()
    return tuple((first + k) % 24 for k in range((last - first) % 24 + 1))


def _milliseconds(text: str) -> float | None:
    match = re.fullmatch(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(?:ms)?", text, flags=re.ASCII)
    return None if match is None else float(match[1])


def _first(own: Mapping[str, str], keys: tuple[str, ...]) -> str | None:
    return next((own[_plain(key)] for key in keys if _plain(key) in own), None)


def _plain(key: str) -> str:
    return re.sub(r"[^a-z0-9_]", "_", key.lower())
