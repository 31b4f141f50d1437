"""Whether what is true for the same inputs moved: labels beside what inputs and score let expect.

The arithmetic only; what is judged together is told in `family`, what is drift in `report`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finops_dagster.domain.models import ALL
from finops_dagster.responsible_ai.drift.columns import Column
from finops_dagster.responsible_ai.drift.family import Hypothesis
from finops_dagster.responsible_ai.drift.shift import Blocks, Floats, Ints, quantiles
from finops_dagster.responsible_ai.results import DriftOptions, Interval, Task

LEVEL, SPREAD = "label at the same inputs", "spread of the label at the same inputs"
_RATE, _ERROR = "move of the rate", "move as a share of the usual error"
_KNOTS = 4
_CATEGORIES = 10
_MOST_TERMS = 200
_SCORE_PARTS, _SEGMENT_PARTS = 5, 3
_SEGMENT_ROWS = 1000
_LEAST_CELL = 5
"""Rows of either side in a part of the score under which it is not compared."""
_RIDGE = 1e-6
_TAIL = 0.005
"""Part of residuals and inputs at either end that is drawn in, so that a few cannot decide."""


@dataclass(frozen=True)
class Sums:
    """Rows and summed residuals per block and part of the score, and the variance of a residual."""

    counts: Floats
    sums: Floats
    variances: Floats
    """Per part of the score."""
    unit: float
    """Of the move: 1 for rates, the usual error for numbers."""

    def moved(self, current: Floats, reference: Floats) -> tuple[Floats, Floats]:
        """Sum over parts of (mean now - mean before)^2 / (v (1 / n now + 1 / n before)), the
        comparison of M. H. Cochran 1954 within strata; and the mean absolute move over the rows
        that are current."""
        rows = current @ self.counts, reference @ self.counts
        with np.errstate(divide="ignore", invalid="ignore"):
            gap = current @ self.sums / rows[0] - reference @ self.sums / rows[1]
            squared = gap**2 / (self.variances * (1 / rows[0] + 1 / rows[1]))
        usable = (rows[0] >= _LEAST_CELL) & (rows[1] >= _LEAST_CELL) & (self.variances > 0)
        surely = np.where(usable, squared, 0.0).sum(axis=1)
        weights = np.where(usable, rows[0], 0.0)
        far = np.where(usable, np.abs(gap), 0.0) * weights
        total = np.maximum(weights.sum(axis=1), 1.0)
        return surely, far.sum(axis=1) / total / self.unit


@dataclass(frozen=True)
class Truth:
    """Labelled answers of both windows, the reference's first."""

    task: Task
    label: Floats
    answer: Floats
    score: Floats
    """The probability where there is one, else the answer."""

    @property
    def errors(self) -> Floats:
        """Error of every answer: 0 or 1 for classifiers, absolute for regressors."""
        if self.task == "classification":
            wrong = (self.answer > 0.5) != (self.label > 0.5)
            return np.asarray(wrong, dtype=np.float64)
        return np.asarray(np.abs(self.answer - self.label), dtype=np.float64)


@dataclass(frozen=True)
class Residuals:
    """What labels have beyond what the same inputs and score have on average in both windows."""

    level: Floats
    spread: Floats | None
    """Of the size of the residual, for numbers; a rate's spread follows from it."""
    usual: float
    """Mean size of a residual."""


def residuals_of(truth: Truth, inputs: Sequence[Column], groups: Sequence[Column]) -> Residuals:
    """Labels less a fit of both windows together, additive in the score, inputs and groups.

    Each is a broken line with knots at its fifths (categories: a level each, the ten most
    frequent), least squares with a slight ridge. So a shift of inputs alone is taken out as far as
    such a sum can tell what inputs do to labels; what only their interaction does may remain.
    """
    basis = _basis(truth.score, [*inputs, *groups])
    gram = basis.T @ basis
    gram[np.diag_indices_from(gram)] += _RIDGE * len(basis)

    def rest(of: Floats) -> Floats:
        left = of - basis @ np.linalg.solve(gram, basis.T @ of)
        return np.clip(left, *np.quantile(left, [_TAIL, 1 - _TAIL]))

    if truth.task == "classification":
        left = truth.label - basis @ np.linalg.solve(gram, basis.T @ truth.label)
        return Residuals(left, None, 1.0)
    level = rest(truth.label)
    size = np.abs(level)
    return Residuals(level, rest(size), float(size.mean()))


def _basis(score: Floats, columns: Sequence[Column]) -> Floats:
    terms = [np.ones(len(score)), *_broken_line(score)]
    for column in columns:
        if len(terms) >= _MOST_TERMS:
            break
        if column.numbers is not None:
            terms += _broken_line(column.numbers)
        else:
            frequent = np.bincount(column.codes[column.codes >= 0], minlength=len(column.texts))
            for code in np.argsort(-frequent, kind="stable")[:_CATEGORIES]:
                terms.append((column.codes == code).astype(np.float64))
    return np.column_stack(terms)


def _broken_line(numbers: Floats) -> list[Floats]:
    """A line with knots over standardised numbers, and where they are missing."""
    there = np.isfinite(numbers)
    if not there.any():
        return []
    ordered = np.sort(numbers[there])
    low, middle, high = quantiles(ordered, np.array([_TAIL, 0.5, 1 - _TAIL]))
    filled = np.clip(np.where(there, numbers, middle), low, high)
    spread = float(filled.std())
    terms = [] if there.all() else [(~there).astype(np.float64)]
    if spread <= 0:
        return terms
    line = (filled - middle) / spread
    cuts = quantiles(ordered, np.linspace(0, 1, _KNOTS + 2)[1:-1])
    knots = np.unique((np.clip(cuts, low, high) - middle) / spread)
    inner = knots[(knots > line.min()) & (knots < line.max())]
    return [*terms, line, *(np.maximum(line - knot, 0.0) for knot in inner)]


def concept_hypotheses(
    truth: Truth,
    residuals: Residuals,
    blocks: Blocks,
    reference_rows: int,
    options: DriftOptions,
    rows: Ints | None = None,
    segment: str = ALL,
) -> list[Hypothesis]:
    """Whether residuals moved within parts of the score: their mean, and for numbers their size.

    The comparison is within parts of the score and counts rows, so that more answers of one score
    are no move. `rows`: places of a segment's rows.
    """
    kept = np.arange(len(truth.label)) if rows is None else rows
    before = int(np.searchsorted(kept, reference_rows))
    parts = _SCORE_PARTS if len(kept) >= _SEGMENT_ROWS else _SEGMENT_PARTS
    score = truth.score[kept]
    edges = np.unique(quantiles(np.sort(score), np.linspace(0, 1, parts + 1)[1:-1]))
    codes, count = np.searchsorted(edges, score, side="right"), len(edges) + 1
    places = blocks.codes[kept] * count + codes
    cells = blocks.count * count
    counts = np.bincount(places, minlength=cells).reshape(blocks.count, count).astype(np.float64)
    rate = truth.task == "classification"
    made = []
    for feature, values in ((LEVEL, residuals.level), (SPREAD, residuals.spread)):
        if values is None:
            continue
        own = values[kept]
        sums = np.bincount(places, own, minlength=cells).reshape(blocks.count, count)
        squares = np.bincount(codes, own**2, minlength=count)
        total = np.maximum(counts.sum(axis=0), 1.0)
        variances = squares / total - (sums.sum(axis=0) / total) ** 2
        variances = np.where(variances > 1e-12, variances, 0.0)
        made.append(
            Hypothesis(
                kind="concept",
                segment=segment,
                feature=feature,
                method=_RATE if rate else _ERROR,
                table=Sums(
                    counts,
                    sums.astype(np.float64),
                    variances,
                    1.0 if rate else max(residuals.usual, 1e-12),
                ),
                warn=options.rate_warn if rate else options.error_warn,
                fail=options.rate_fail if rate else options.error_fail,
                rows=(before, len(kept) - before),
            )
        )
    return made


def extra_error(errors: Floats, blocks: Blocks, rows: Ints | None = None) -> Interval:
    """Mean error now minus before, with the 95 % interval that days as clusters give.

    Variance of a ratio of day sums (W. G. Cochran, Sampling Techniques, 1977, 6.3), Student's t
    with the judged days less one; no ends under two days in either window.
    """
    from scipy.stats import t

    kept = np.arange(len(errors)) if rows is None else rows
    counts = np.bincount(blocks.codes[kept], minlength=blocks.count).astype(np.float64)
    sums = np.bincount(blocks.codes[kept], errors[kept], minlength=blocks.count)
    means, variance = [], 0.0
    for side in (slice(blocks.reference, None), slice(0, blocks.reference)):
        n, s = counts[side], sums[side]
        days = int((n > 0).sum())
        mean = float(s.sum() / n.sum())
        means.append(mean)
        if days < 2:
            variance = float("nan")
        else:
            around = float(((s - mean * n) ** 2).sum()) / n.sum() ** 2
            variance += around * days / (days - 1)
    value = means[0] - means[1]
    if not np.isfinite(variance):
        return Interval(value)
    freedom = max(1, int((counts[blocks.reference :] > 0).sum()) - 1)
    half = float(t.ppf(0.975, freedom)) * float(np.sqrt(variance))
    return Interval(value, value - half, value + half)
