"""Which groups and rates stay hidden, so that no figure tells of fewer than k people.

Nor may one be worked out of the others and their total: complementary suppression (L. H. Cox 1980,
JASA 75, 377-385). What is measured of those that are shown is in `groups`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Places = Mapping[str, NDArray[np.int64]]


@dataclass(frozen=True)
class Shown:
    """The groups of an attribute as they may be shown."""

    places: Places
    """Group -> its rows. Groups of fewer than k are together in one, where that has k."""
    mixed: str
    """Name of the group that is only small ones together; empty where there is none."""
    told: str
    """What was hidden and how, in words that name no small group; empty where nothing was."""


def shielded(
    places: Places,
    unknown: int,
    smallest: int,
    kinds: Sequence[NDArray[np.bool_]] = (),
    share: float = 0.0,
) -> Shown:
    """Put groups of fewer than `smallest` people together, so that none can be worked out.

    Where all of them, with the `unknown` people of no group, still are too few, the total less the
    other groups would tell of them: then the smallest group that could be shown joins them. Groups
    that were put together read `others (N groups)`, or `GROUP and others`. kinds: which rows bear
    each rate, such as those of class 1. A group of under `share` of all is not compared: where it
    has too few of a kind it is put with the small ones too, since hiding its rates alone would take
    those of a larger group.
    """
    total = sum(len(place) for place in places.values())

    def lacks(place: NDArray[np.int64]) -> bool:
        return any(0 < int(kind[place].sum()) < smallest for kind in kinds)

    tiny = [group for group, place in places.items() if len(place) < smallest]
    poor = [
        group
        for group, place in places.items()
        if smallest <= len(place) < share * total and lacks(place)
    ]
    if not tiny and not poor:
        return Shown(places, "", "")
    told = []
    if tiny:
        told.append(f"{_counted(tiny)} of fewer than {smallest} people")
    if poor:
        told.append(f"{_counted(poor)} with an error rate that fewer than {smallest} people bear")
    small = [*tiny, *poor]
    kept = {group: place for group, place in places.items() if group not in set(small)}
    together = np.sort(np.concatenate([places[group] for group in small]))
    if len(together) >= smallest and not (poor and lacks(together)):
        name = _unlike(f"others ({_counted(small)})", kept)
        return Shown({**kept, name: together}, name, f"{' and '.join(told)}, shown together")
    if not kept or (not poor and len(together) + unknown >= smallest):
        return Shown(kept, "", " and ".join(told))
    host = min(kept, key=lambda group: (len(kept[group]), group))
    together = np.sort(np.concatenate([together, kept.pop(host)]))
    name = _unlike(f"{host} and others", kept)
    said = f"{' and '.join(told)}, shown together with {host}"
    return Shown({**kept, name: together}, "", said)


def _counted(groups: Sequence[str]) -> str:
    return f"{len(groups)} {'group' if len(groups) == 1 else 'groups'}"


def _unlike(name: str, taken: Places) -> str:
    while name in taken:
        name += "*"
    return name


def withheld(
    counts: NDArray[np.int64],
    lines: Sequence[NDArray[np.int64]],
    smallest: int,
    *,
    beside: NDArray[np.int64] | None = None,
    gone: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Which cells of a table may not be shown: those of too few, and as many more as it takes.

    counts: cells x kinds of people who bear the figure (such as those of class 1 and of class 0);
    a cell is too few where any kind has between 1 and `smallest` - 1. lines: sets of cells whose
    sum is known, such as a row or a column. beside: people, by kind, who are in the only line and
    in no cell. gone: cells that are hidden already. What is left hidden of a line has no kind of
    too few, and no cell of too few is determined by the sums: each has a share in the null space
    of the lines over hidden cells.
    """
    small = _few(counts, smallest)
    touched = small if gone is None else small | gone
    hidden = touched.copy()
    extra = np.zeros(counts.shape[1], dtype=np.int64) if beside is None else beside
    rows = counts.sum(axis=1)
    while True:
        line = _telling(counts, touched, hidden, lines, smallest, extra)
        if line is None and len(lines) > 1:
            line = _determining(rows, small, hidden, lines)
        if line is None:
            return hidden
        hidden[line[np.argmin(rows[line])]] = True


def _few(counts: NDArray[np.int64], smallest: int) -> NDArray[np.bool_]:
    return np.asarray(((counts > 0) & (counts < smallest)).any(axis=-1), dtype=np.bool_)


def _telling(
    counts: NDArray[np.int64],
    touched: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    lines: Sequence[NDArray[np.int64]],
    smallest: int,
    extra: NDArray[np.int64],
) -> NDArray[np.int64] | None:
    """The shown cells of a line whose hidden part is too few together; None where none is."""
    for line in lines:
        inside = line[hidden[line]]
        shown: NDArray[np.int64] = line[~hidden[line] & (counts[line].sum(axis=1) > 0)]
        if len(shown) and touched[inside].any():
            rest = counts[inside].sum(axis=0) + extra
            if _few(rest, smallest):
                return shown
    return None


def _determining(
    rows: NDArray[np.int64],
    small: NDArray[np.bool_],
    hidden: NDArray[np.bool_],
    lines: Sequence[NDArray[np.int64]],
) -> NDArray[np.int64] | None:
    """The shown cells of a line with a cell of too few whose value follows from all sums."""
    places = np.flatnonzero(hidden & (rows > 0))
    if not small[places].any():
        return None
    sums = np.array([np.isin(places, line) for line in lines], dtype=np.float64)
    _, sizes, basis = np.linalg.svd(sums, full_matrices=True)
    free = basis[int((sizes > 1e-9).sum()) :]
    share = np.abs(free).max(axis=0) if len(free) else np.zeros(len(places))
    for cell in places[(share < 1e-9) & small[places]]:
        for line in lines:
            shown: NDArray[np.int64] = line[~hidden[line] & (rows[line] > 0)]
            if cell in line and len(shown):
                return shown
    return None
