"""How far a column moved, and how far chance alone would have moved it: arithmetic of drift.

Numbers in, numbers out; what counts as drift is decided in `drift`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

TENTHS = 10
SHOWN_CATEGORIES = 30
MIN_BLOCKS = (7, 3)
"""Blocks in reference and current under which permuting them could not tell anything: with 7
and 3 there are 120 ways to part them."""


@dataclass(frozen=True)
class Chance:
    """What the index is where nothing moved: its mean, and one value per permutation."""

    mean: float
    draws: Floats

    def p_value(self, score: float) -> float:
        """Share of permutations that moved as far, the observed one counted in."""
        reached = int(np.sum(self.draws >= score - 1e-12))
        return (1 + reached) / (1 + len(self.draws))


def psi(reference: Floats, current: Floats) -> Floats:
    """Population stability index of counts over the last axis, with half a row in every bin.

    sum (q - p) ln(q / p), Siddiqi 2006; the half rows keep empty bins finite.
    """
    bins = reference.shape[-1]
    p = (reference + 0.5) / (reference.sum(axis=-1, keepdims=True) + 0.5 * bins)
    q = (current + 0.5) / (current.sum(axis=-1, keepdims=True) + 0.5 * bins)
    return np.asarray(np.sum((q - p) * np.log(q / p), axis=-1), dtype=np.float64)


def bins_of(reference: Any, current: Any) -> tuple[Ints, Ints, int]:
    """Bin of every value, by one rule made from both windows together, and the number of bins.

    Up to 20 distinct numbers, and texts, are a bin each; more numbers are cut into tenths. Neither
    window is favoured, so that permuting rows between them is fair.
    """
    both = pd.concat([pd.Series(reference), pd.Series(current)], ignore_index=True)
    codes, values = pd.factorize(both, sort=False)
    if len(values) > 2 * TENTHS and pd.api.types.is_numeric_dtype(both):
        numbers = both.to_numpy(dtype="float64")
        edges = np.unique(np.quantile(numbers, np.linspace(0, 1, TENTHS + 1)[1:-1]))
        codes = np.searchsorted(edges, numbers, side="right")
        count = len(edges) + 1
    else:
        count = max(1, len(values))
    codes = np.asarray(codes, dtype=np.int64)
    return codes[: len(reference)], codes[len(reference) :], count


def index_of(reference: Any, current: Any) -> float:
    """The population stability index between two columns of values."""
    first, second, count = bins_of(reference, current)
    return float(psi(_counts(first, count), _counts(second, count)))


def _counts(codes: Ints, count: int) -> Floats:
    return np.bincount(codes, minlength=count).astype(np.float64)


def block_splits(
    reference_blocks: int, current_blocks: int, permutations: int, seed: int
) -> Floats | None:
    """Ways to choose which blocks are current, as 0 and 1, one per row; None with too few."""
    if reference_blocks < MIN_BLOCKS[0] or current_blocks < MIN_BLOCKS[1]:
        return None
    rng = np.random.default_rng(seed)
    total = reference_blocks + current_blocks
    order = rng.random((permutations, total)).argsort(axis=1)
    return (order < current_blocks).astype(np.float64)


def chance(
    reference: Ints,
    current: Ints,
    count: int,
    *,
    blocks: tuple[Ints, Ints, int] | None,
    splits: Floats | None,
    permutations: int,
    seed: int,
) -> Chance:
    """The index where nothing moved.

    With blocks (block number of every row in both windows, and their number) whole blocks change
    sides, so that what rows of one day have in common does not pass for drift. Without, rows are
    taken as independent and drawn without replacement.
    """
    if blocks is not None and splits is not None:
        rows = np.concatenate([blocks[0], blocks[1]])
        codes = np.concatenate([reference, current])
        table = np.bincount(rows * count + codes, minlength=blocks[2] * count)
        table = table.reshape(blocks[2], count).astype(np.float64)
        now = splits @ table
        draws = psi(table.sum(axis=0) - now, now)
    else:
        pooled = _counts(reference, count) + _counts(current, count)
        rng = np.random.default_rng(seed)
        drawn = rng.multivariate_hypergeometric(
            pooled.astype(np.int64), len(current), size=permutations, method="marginals"
        ).astype(np.float64)
        draws = psi(pooled - drawn, drawn)
    return Chance(mean=float(draws.mean()), draws=draws)


def adjusted(p_values: Floats) -> Floats:
    """P-values adjusted for their number (Benjamini and Hochberg 1995, step-up)."""
    count = len(p_values)
    order = np.argsort(p_values)
    scaled = p_values[order] * count / np.arange(1, count + 1)
    stepped = np.minimum.accumulate(scaled[::-1])[::-1]
    result = np.empty(count)
    result[order] = np.minimum(stepped, 1.0)
    return result
