"""Columns, segments and kinds judged together: how sure each move is among all that was looked at.

The arithmetic of one column is in `shift` and `concept`; which move matters is decided in
`judging`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np

from finops_dagster.responsible_ai.drift.shift import Blocks, Floats, psi, quantiles
from finops_dagster.responsible_ai.results import DriftKind, DriftOptions, FeatureDrift

QUICK = 40
"""Part of the permutations that is drawn where no move is near to mattering."""
NEAR = 0.9
"""Part of the least move that matters from which all permutations are drawn,"""
HARDLY = 0.05
"""where the first of them leave no more than this chance of it: far above any level of a day."""
_FIRST = 80
"""Of the first at least so many: with 20 or fewer no chance could be told to be that small."""


class Table(Protocol):
    """What of one column is known per block: enough to say how any blocks differ from others."""

    def moved(self, current: Floats, reference: Floats) -> tuple[Floats, Floats]:
        """How surely and how far current blocks differ from the reference, one value per row.

        Both arguments are 0 and 1, ways x blocks. Neither figure is below 0; the first tends to a
        sum of squares of standard normal values where nothing moved, up to a factor.
        """
        ...


@dataclass(frozen=True)
class Counts:
    """Rows per block and bin."""

    table: Floats

    def moved(self, current: Floats, reference: Floats) -> tuple[Floats, Floats]:
        index = psi(reference @ self.table, current @ self.table)
        return index, index


@dataclass(frozen=True)
class Hypothesis:
    """One column of one kind in one segment, and from where its move matters."""

    kind: DriftKind
    segment: str
    feature: str
    method: str
    table: Table
    warn: float
    fail: float
    rows: tuple[int, int]


def judged_together(
    hypotheses: Sequence[Hypothesis],
    blocks: Blocks,
    *,
    level: float,
    options: DriftOptions,
    seed: int,
) -> tuple[FeatureDrift, ...]:
    """How far each moved, and whether it drifted, in the order given.

    Whole blocks (days) change sides, the same for all hypotheses at once, so that what they have
    in common is kept. Each figure is brought to one scale (its cube root, which is close to normal
    for sums of squares: E. B. Wilson and M. M. Hilferty 1931, less its mean over its standard
    deviation) and compared with the largest over all hypotheses of each permutation; then with
    the largest over those less sure (step-down maxT, P. H. Westfall and S. S. Young 1993; J. P.
    Romano and M. Wolf 2005). p = (1 + reached) / (1 + permutations) (B. Phipson and G. K. Smyth
    2010).

    Guaranteed: where days are exchangeable, the chance that any hypothesis without a move is said
    to have one is at most `level`, for whatever number of them and however they depend. Days that
    resemble their neighbours are not exchangeable, and there more alarms than stated may come;
    against that a move must also reach beyond every window of as many days within the reference
    itself. That and the least move that matters can but lessen alarms; by how much is measured
    only (`benchmarks/drift.py` has a world of either sort).

    Where no move comes near to mattering, a part of the permutations is drawn: no alarm can come
    of it, and p-values are coarser.
    """
    if not hypotheses:
        return ()
    first = max(options.permutations // QUICK, _FIRST)
    draws = _drawn(hypotheses, blocks.splits(first, seed))
    surely = np.column_stack([_scaled(one) for one, _ in draws])
    p_adjusted = _stepped(surely)
    near = [_near(one, far) for one, (_, far) in zip(hypotheses, draws, strict=True)]
    if (p_adjusted[near] <= max(HARDLY, level)).any():
        draws = _drawn(hypotheses, blocks.splits(options.permutations, seed))
        surely = np.column_stack([_scaled(one) for one, _ in draws])
        p_adjusted = _stepped(surely)
    p_values = _shares(surely)
    cut = float(p_values[p_adjusted <= level].max(initial=level / len(hypotheses)))
    windows = blocks.windows() if blocks.days else None
    made = []
    for place, (one, (_, far)) in enumerate(zip(hypotheses, draws, strict=True)):
        history = () if windows is None else tuple(map(float, one.table.moved(*windows)[1]))
        before = max(history[: -blocks.current], default=0.0)
        expected, score = float(far[1:].mean()), float(far[0])
        sure = p_adjusted[place] <= level and score >= before
        drifted = bool(sure and score - expected >= one.warn)
        by_chance = float(quantiles(np.sort(far[1:]), np.array([1 - cut]))[0])
        least = max(expected + one.warn, before, by_chance)
        # Ties and interpolation may part the two by a hair; the p-value decides.
        threshold = min(least, score) if drifted else max(least, float(np.nextafter(score, 9e9)))
        made.append(
            FeatureDrift(
                feature=one.feature,
                method=one.method,
                score=score,
                expected=expected,
                threshold=threshold,
                p_value=float(p_values[place]),
                p_adjusted=float(p_adjusted[place]),
                drifted=drifted,
                severity=_severity(drifted, score - expected, one.fail),
                reference_rows=one.rows[0],
                current_rows=one.rows[1],
                kind=one.kind,
                segment=one.segment,
                history=history,
            )
        )
    return tuple(made)


def _drawn(hypotheses: Sequence[Hypothesis], splits: Floats) -> list[tuple[Floats, Floats]]:
    others = 1.0 - splits
    return [one.table.moved(splits, others) for one in hypotheses]


def _near(one: Hypothesis, far: Floats) -> bool:
    return bool(far[0] - far[1:].mean() >= NEAR * one.warn)


def _scaled(figures: Floats) -> Floats:
    roots = np.cbrt(figures)
    spread = float(roots.std())
    if spread <= 1e-9:
        return np.zeros_like(roots)
    return np.asarray((roots - roots.mean()) / spread, dtype=np.float64)


def _shares(surely: Floats) -> Floats:
    """P-value of every column alone; row 0 is what was observed."""
    reached = (surely[1:] >= surely[0] - 1e-12).sum(axis=0)
    return np.asarray((1 + reached) / len(surely), dtype=np.float64)


def _stepped(surely: Floats) -> Floats:
    """P-values adjusted for all columns, step-down; row 0 is what was observed."""
    order = np.argsort(-surely[0], kind="stable")
    largest = np.maximum.accumulate(surely[:, order[::-1]], axis=1)[:, ::-1]
    reached = (largest[1:] >= surely[0, order] - 1e-12).sum(axis=0)
    stepped = np.maximum.accumulate((1 + reached) / len(surely))
    adjusted = np.empty(len(order))
    adjusted[order] = stepped
    return adjusted


def _severity(drifted: bool, excess: float, fail: float) -> Literal["none", "minor", "major"]:
    if not drifted:
        return "none"
    return "major" if excess >= fail else "minor"
