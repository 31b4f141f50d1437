"""Which pods ran for a workload, when and under what names, and what owns them.

How many there are is decided in demand, and what they used as well; nothing is written here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from finops_dagster.demo.demand import Timeline, releases, sizing_on
from finops_dagster.demo.noise import Floats, Ints
from finops_dagster.demo.plan import Workload
from finops_dagster.demo.seasons import DAY_MINUTES, HOUR_MINUTES, day_of

LONGEST_LIFE_DAYS = 7
"""Every release replaces all pods, and there is one a week."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""What Kubernetes makes random names of (k8s.io/apimachinery, pkg/util/rand)."""


@dataclass(frozen=True)
class Pod:
    """One pod of a workload, there from time `start` up to `end`, which are indices of times."""

    name: str
    uid: str
    slot: int
    """Which replica it is, from 0."""
    start: int
    end: int
    owner_kind: str
    owner_name: str


def controller(workload: Workload) -> str:
    """Name of the Deployment, StatefulSet, DaemonSet or CronJob that makes the pods.

    KServe makes a Deployment of its own for the predictor of an InferenceService.
    """
    name = workload.spec.name
    return f"{name}-predictor" if workload.spec.kind == "InferenceService" else name


def pods_of(
    seed: int, workload: Workload, timeline: Timeline, counts: Floats, minutes: Ints
) -> list[Pod]:
    """The pods behind `counts` replicas (NaN where nothing runs) at the times `minutes`.

    A pod that is there at the first time is taken to be born at it: who wants names that do not
    depend on where a window starts asks for LONGEST_LIFE_DAYS before it as well.
    """
    if workload.spec.kind == "CronJob":
        return list(_jobs(seed, workload, counts, minutes))
    templates = _templates(seed, workload, timeline, minutes)
    changes = [n for n in range(1, len(templates)) if templates[n] != templates[n - 1]]
    found: list[Pod] = []
    for begin, end in pairwise((0, *changes, len(minutes))):
        for slot, start, stop in _lives(counts[begin:end]):
            found.append(
                _pod(workload, templates[begin], slot, begin + start, begin + stop, minutes)
            )
    return found


def _templates(seed: int, workload: Workload, timeline: Timeline, minutes: Ints) -> list[str]:
    """What pods are made of at each time: another text is another generation of pods."""
    of_day = {
        number: str(sizing.containers if sizing else None)
        for number in range(int(minutes[0]) // DAY_MINUTES, int(minutes[-1]) // DAY_MINUTES + 1)
        for sizing in [sizing_on(workload, timeline, day_of(number))]
    }
    return [
        f"{seed}/{workload.resource}/{release}/{of_day[day]}"
        for release, day in zip(
            releases(seed, workload, minutes)[0].tolist(),
            (minutes // DAY_MINUTES).tolist(),
            strict=True,
        )
    ]


def _pod(workload: Workload, template: str, slot: int, start: int, end: int, minutes: Ints) -> Pod:
    kind, made_by = workload.spec.kind, controller(workload)
    uid = _random(f"{template}/{slot}/{minutes[start]}")
    if kind == "StatefulSet":
        return Pod(f"{made_by}-{slot}", uid, slot, start, end, kind, made_by)
    if kind == "DaemonSet":
        return Pod(f"{made_by}-{uid[:5]}", uid, slot, start, end, kind, made_by)
    replica_set = f"{made_by}-{_random(template)}"
    return Pod(f"{replica_set}-{uid[:5]}", uid, slot, start, end, "ReplicaSet", replica_set)


def _jobs(seed: int, workload: Workload, counts: Floats, minutes: Ints) -> Iterator[Pod]:
    """A Job for every time the CronJob is due, named by the minute as its controller does."""
    for slot, start, end in _lives(counts):
        due = minutes[start] // DAY_MINUTES * DAY_MINUTES + workload.spec.cron_hour * HOUR_MINUTES
        job = f"{controller(workload)}-{due}"
        uid = _random(f"{seed}/{workload.resource}/{due}/{slot}")
        yield Pod(f"{job}-{uid[:5]}", uid, slot, start, end, "Job", job)


def _lives(counts: Floats) -> Iterator[tuple[int, int, int]]:
    """(slot, start, end) of every unbroken time in which a slot is filled: the newest go first."""
    most = int(np.nanmax(counts, initial=0.0))
    for slot in range(most):
        there: NDArray[np.int8] = (counts > slot).astype(np.int8)
        steps = np.diff(there, prepend=np.int8(0), append=np.int8(0))
        for start, end in zip(
            np.flatnonzero(steps == 1).tolist(), np.flatnonzero(steps == -1).tolist(), strict=True
        ):
            yield slot, start, end


def _random(key: str) -> str:
    """Ten letters that look random and are always the same."""
    digest = hashlib.sha256(key.encode()).digest()
    return "".join(_LETTERS[byte % len(_LETTERS)] for byte in digest[:10])
