"""How many GPUs are left when workloads share them: a part that nobody takes saves nothing.

What a workload needs is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

_FULL = 1 + 1e-9
"""Sevenths and eighths add up to one but for rounding."""


@dataclass(frozen=True)
class Sharer:
    """A workload with `replicas` GPUs, and the shares of compute and memory it needs of each."""

    resource: str
    group: str
    """Only those of one group may share: same cluster and model, and how they are kept apart."""
    replicas: int
    size: tuple[float, float]
    part: str
    """Name of the profile; empty where a GPU is shared in turns."""


@dataclass(frozen=True)
class Shared:
    """What sharing comes to for one of them."""

    sharer: Sharer
    before: int
    after: int
    """GPUs of its group."""
    others: tuple[str, ...]
    """Whom it shares with, by name."""
    together: int
    """Most that are on one GPU of the group."""

    @property
    def freed(self) -> float:
        """Share of the group's GPUs that are no longer needed, the same for all of them."""
        return (self.before - self.after) / self.before if self.others else 0.0


@dataclass
class _Gpu:
    free: tuple[float, float] = (_FULL, _FULL)
    holds: list[str] = field(default_factory=list)

    def takes(self, size: tuple[float, float]) -> bool:
        return all(need <= free for need, free in zip(size, self.free, strict=True))

    def put(self, one: Sharer) -> None:
        self.free = (self.free[0] - one.size[0], self.free[1] - one.size[1])
        self.holds.append(one.resource)


def share(sharers: Sequence[Sharer]) -> list[Shared]:
    """Largest first, each replica on the first GPU that has room for it and does not hold another
    of the same workload's, so that one GPU that fails does not take all of a workload away.
    """
    out = []
    for _, members in groupby(sorted(sharers, key=_order), key=lambda one: one.group):
        group = list(members)
        gpus: list[_Gpu] = []
        for one in group:
            for _ in range(one.replicas):
                room = (g for g in gpus if one.resource not in g.holds and g.takes(one.size))
                gpu = next(room, None)
                if gpu is None:
                    gpu = _Gpu()
                    gpus.append(gpu)
                gpu.put(one)
        before = sum(one.replicas for one in group)
        for one in group:
            beside = {name for g in gpus if one.resource in g.holds for name in g.holds}
            out.append(
                Shared(
                    sharer=one,
                    before=before,
                    after=len(gpus),
                    others=tuple(sorted(beside - {one.resource})),
                    together=max(len(g.holds) for g in gpus),
                )
            )
    return out


def _order(one: Sharer) -> tuple[str, float, str]:
    return one.group, -max(one.size), one.resource
