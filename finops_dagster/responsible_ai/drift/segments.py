"""The segments of a model's answers that are large enough to judge, and what is told of others.

Nobody is named here of whom there are fewer than k.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.drift.shift import Ints
from finops_dagster.responsible_ai.results import DriftOptions
from finops_dagster.responsible_ai.windows import ModelWindow

MOST_SEGMENTS = 20
"""Of one attribute, the largest first: each more takes power from all others."""


@dataclass(frozen=True)
class Segment:
    """One segment's rows, places in both windows together."""

    attribute: str
    name: str
    """ATTRIBUTE=GROUP."""
    rows: Ints
    reference_rows: int
    coarse: bool
    """Whether counts must be rounded: a smaller segment beside it could be subtracted."""

    def count(self, rows: int, k: int) -> int:
        """Rows as they may be shown."""
        return rows // k * k if self.coarse else rows


@dataclass(frozen=True)
class Segments:
    """What is judged, and what is not."""

    judged: tuple[Segment, ...]
    shielded: tuple[str, ...]
    abstained: tuple[Abstained, ...]


def segments_of(
    reference: ModelWindow,
    current: ModelWindow,
    attributes: Sequence[str],
    options: DriftOptions,
) -> Segments:
    """Segments of every attribute: a group column, or an input that is a category."""
    judged: list[Segment] = []
    shielded: list[str] = []
    abstained: list[Abstained] = []
    k = options.smallest_group
    least = max(options.segment_rows, k)
    for attribute in dict.fromkeys(attributes):
        given = [_values(window, attribute) for window in (reference, current)]
        sides = [side for side in given if side is not None]
        if len(sides) < 2:
            reason = "it is neither a group in the log nor an input that is a category"
            abstained.append(Abstained(subject=f"segment {attribute}", reason=reason))
            continue
        before = len(sides[0])
        codes, groups = pd.factorize(pd.concat(sides, ignore_index=True))
        counts = np.column_stack(
            [
                np.bincount(part[part >= 0], minlength=len(groups))
                for part in (codes[:before], codes[before:])
            ]
        )
        fewest = counts.min(axis=1)
        hidden = int((fewest < k).sum())
        if hidden:
            shielded.append(
                f"{attribute}: {hidden} {'segment' if hidden == 1 else 'segments'} of fewer than "
                f"{k} people in one of the windows"
            )
        small = int(((fewest >= k) & (fewest < least)).sum())
        large = [g for g in np.argsort(-fewest, kind="stable") if fewest[g] >= least]
        for number, reason in (
            (small, f"have fewer than {least} answers in one of the windows"),
            (len(large[MOST_SEGMENTS:]), f"are beyond the {MOST_SEGMENTS} largest"),
        ):
            if number:
                told = f"{number} of its groups {reason}"
                abstained.append(Abstained(subject=f"segment {attribute}", reason=told))
        for group in large[:MOST_SEGMENTS]:
            judged.append(
                Segment(
                    attribute=attribute,
                    name=f"{attribute}={groups[group]}",
                    rows=np.flatnonzero(codes == group),
                    reference_rows=int(counts[group, 0]),
                    coarse=hidden > 0,
                )
            )
    return Segments(tuple(judged), tuple(shielded), tuple(abstained))


def _values(window: ModelWindow, attribute: str) -> pd.Series[str] | None:
    for frame in (window.groups, window.features):
        if attribute in frame.columns:
            values = frame[attribute]
            return None if pd.api.types.is_numeric_dtype(values) else values.astype("object")
    return None
