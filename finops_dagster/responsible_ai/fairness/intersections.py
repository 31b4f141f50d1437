"""Groups of several protected attributes at once: pairs, and all together.

A model can treat men and women alike, and young and old, and still turn away old women (K.
Crenshaw 1989; J. Buolamwini and T. Gebru 2018). Single attributes are judged in `judging`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from finops_dagster.responsible_ai.fairness.comparison import compare
from finops_dagster.responsible_ai.fairness.groups import Attribute, group_rows
from finops_dagster.responsible_ai.fairness.shielding import withheld
from finops_dagster.responsible_ai.results import GroupRow, Intersection, Task

MOST_CELLS = 400
"""Combinations of an intersection above which it is not told: nobody reads them."""
MOST_INTERSECTIONS = 16
"""Pairs of six attributes, and all together."""


def intersections(
    subject: str,
    parts: Sequence[Attribute],
    *,
    task: Task,
    seed: int,
    smallest: int,
    share: float,
) -> tuple[tuple[Intersection, ...], list[str]]:
    """Every intersection of `parts` of which at least two groups can be compared, and notes.

    Combinations of fewer than `smallest` people are not shown, nor others from which they could be
    worked out, as the totals of each attribute are shown too; those of under `share` of the rows
    are shown and not compared.
    """
    together = [part for part in parts if len(part.places) > 1]
    asked = [*combinations(together, 2), *([tuple(together)] if len(together) > 2 else [])]
    notes = []
    if len(asked) > MOST_INTERSECTIONS:
        notes.append(
            f"{subject}: {len(asked)} intersections of {len(together)} attributes are too many to "
            "judge; none is"
        )
        asked = []
    found = []
    for chosen in asked:
        cells = int(np.prod([len(part.places) for part in chosen]))
        if cells > MOST_CELLS:
            notes.append(f"{_named(chosen)}: {cells} combinations are too many to judge")
            continue
        one = _intersection(
            chosen, task, seed, smallest, share, level=1 - 0.05 / max(1, len(asked))
        )
        if one is not None:
            found.append(one)
    return tuple(found), notes


def _named(chosen: Sequence[Attribute]) -> str:
    return " and ".join(part.name for part in chosen)


def _intersection(
    chosen: Sequence[Attribute], task: Task, seed: int, smallest: int, share: float, level: float
) -> Intersection | None:
    shape = tuple(len(part.places) for part in chosen)
    cells = _cells(chosen)
    counts = np.array([[len(place)] for _, place in cells], dtype=np.int64)
    lines = list(_lines(np.arange(len(cells)).reshape(shape)))
    hidden = withheld(counts, lines, smallest) | (counts[:, 0] == 0)
    text = _texts([members for members, _ in cells])
    places = dict(zip(text, (place for _, place in cells), strict=True))
    least = share * int(counts.sum())
    judged = {
        group: place
        for (group, place), gone in zip(places.items(), hidden, strict=True)
        if not gone and len(place) >= least
    }
    if len(judged) < 2:
        return None
    whole = replace(chosen[0], name=_named(chosen), places=places)
    members_of = dict(zip(text, (members for members, _ in cells), strict=True))
    table = [
        replace(row, members=members_of[row.group])
        for row in group_rows(whole, places, set(judged), task, smallest, lines, hidden)
    ]
    compared = compare(whole, judged, table, task, seed, level=level)
    return Intersection(
        attributes=tuple(part.name for part in chosen),
        groups=tuple(table),
        compared=compared,
        worst=_worst(table),
        withheld=int((hidden & (counts[:, 0] > 0)).sum()),
    )


def _cells(chosen: Sequence[Attribute]) -> list[tuple[tuple[str, ...], NDArray[np.int64]]]:
    """Every combination with the rows that are in it, in the order of a grid."""
    cells: list[tuple[tuple[str, ...], NDArray[np.int64]]] = [
        ((group,), place) for group, place in chosen[0].places.items()
    ]
    for part in chosen[1:]:
        cells = [
            ((*members, group), np.intersect1d(place, other, assume_unique=True))
            for members, place in cells
            for group, other in part.places.items()
        ]
    return cells


def _lines(grid: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Cells that differ in one attribute only: their sum is a cell of one attribute fewer."""
    for axis in range(grid.ndim):
        yield from np.moveaxis(grid, axis, -1).reshape(-1, grid.shape[axis])


def _texts(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Each combination as text, told apart where names that hold commas read alike."""
    texts: list[str] = []
    for members in cells:
        text = ", ".join(members)
        while text in texts:
            text += "*"
        texts.append(text)
    return texts


def _worst(table: Sequence[GroupRow]) -> str:
    judged = [row for row in table if row.judged]
    selected = [row for row in judged if row.selection_rate is not None]
    if selected:
        return min(selected, key=lambda r: r.selection_rate.value if r.selection_rate else 1).group
    erring = [row for row in judged if row.mean_absolute_error is not None]
    if not erring:
        return ""
    return max(
        erring, key=lambda r: r.mean_absolute_error.value if r.mean_absolute_error else 0
    ).group
