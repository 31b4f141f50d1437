"""Whether columns moved between two windows.

The arithmetic is in `shift`, Evidently's report in `evidently`, what a gate makes of it in `gate`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.drift.evidently import Column, write_report
from finops_dagster.responsible_ai.drift.shift import (
    SHOWN_CATEGORIES,
    Chance,
    Ints,
    adjusted,
    bins_of,
    block_splits,
    chance,
    index_of,
)
from finops_dagster.responsible_ai.results import DriftOptions, DriftResult, FeatureDrift, Grade

_MIN_VALUES = 30
_LEVEL = 0.01
"""False discovery rate over the columns of one judgement."""


def judge_drift(
    subject: str,
    reference: pd.DataFrame,
    current: pd.DataFrame,
    *,
    seed: int,
    block: str | None = None,
    options: DriftOptions | None = None,
    html: Path | None = None,
) -> DriftResult | Abstained:
    """Judge every column that both frames share; write Evidently's HTML report to `html`.

    Numbers and texts are judged by the population stability index (over tenths of both windows
    together, or over values where there are few) against a threshold that permutation of `block`
    (a column that says which rows belong together, such as their day) gives; a column's missing
    values are judged as a column of their own. Infinite numbers count as missing. The report
    needs no network, and shows names with mark-up characters replaced. Evidently reads
    DO_NOT_TRACK from the environment: the caller sets it.
    """
    options = options or DriftOptions()
    few = min(len(reference), len(current))
    if few < options.min_rows:
        return Abstained(
            subject=subject,
            reason=f"drift needs {options.min_rows} rows in either window; "
            f"reference has {len(reference)}, current {len(current)}",
        )
    rows = len(reference), len(current)
    reference, current = _thinned(reference, options), _thinned(current, options)
    columns, abstained = _columns(subject, reference, current, block)
    if not columns:
        return Abstained(subject=subject, reason="no column could be judged: all are empty")
    blocks = _blocks(reference, current, block)
    splits = None
    if blocks is not None:
        own = len(np.unique(blocks[1]))
        splits = block_splits(blocks[2] - own, own, options.permutations, seed)
    judged = _judge(columns, blocks if splits is not None else None, splits, options, seed)
    share = sum(f.drifted for f in judged) / len(judged)
    result, reasons = _grade(judged, share, options)
    if html is not None:
        write_report(columns, judged, options, html)
    return DriftResult(
        subject=subject,
        features=judged,
        drifted_share=share,
        dataset_drift=share >= options.share_fail,
        reference_rows=rows[0],
        current_rows=rows[1],
        blocks=blocks[2] if blocks is not None and splits is not None else 0,
        result=result,
        reasons=reasons,
        abstained=tuple(abstained),
    )


def _thinned(frame: pd.DataFrame, options: DriftOptions) -> pd.DataFrame:
    if len(frame) <= options.max_rows:
        return frame.reset_index(drop=True)
    places = np.linspace(0, len(frame) - 1, options.max_rows).astype(np.int64)
    return frame.iloc[places].reset_index(drop=True)


def _columns(
    subject: str, reference: pd.DataFrame, current: pd.DataFrame, block: str | None
) -> tuple[list[Column], list[Abstained]]:
    columns: list[Column] = []
    abstained = [
        Abstained(subject=f"{subject}: {name}", reason="the column is in one window only")
        for name in sorted({*map(str, reference.columns)} ^ {*map(str, current.columns)})
        if name != block
    ]
    for name in (str(c) for c in reference.columns if c in current.columns and c != block):
        pair = [_clean(frame[name]) for frame in (reference, current)]
        if any(pd.api.types.is_numeric_dtype(p) for p in pair) and not all(
            pd.api.types.is_numeric_dtype(p) for p in pair
        ):
            pair = [p.astype("object").where(p.isna(), p.astype(str)) for p in pair]
        there = [np.flatnonzero(p.notna().to_numpy()) for p in pair]
        missing = [p.isna() for p in pair]
        if missing[0].any() or missing[1].any():
            whole = (np.arange(len(reference)), np.arange(len(current)))
            gaps = [m.map({True: "missing", False: "present"}) for m in missing]
            columns.append(Column(f"{name} (missing)", gaps[0], gaps[1], whole))
        if min(len(t) for t in there) < _MIN_VALUES:
            abstained.append(
                Abstained(
                    subject=f"{subject}: {name}",
                    reason=f"fewer than {_MIN_VALUES} values in one of the windows",
                )
            )
            continue
        values = [p.iloc[t].reset_index(drop=True) for p, t in zip(pair, there, strict=True)]
        first, second = _collapsed(values[0], values[1])
        columns.append(Column(name, first, second, (there[0], there[1])))
    return columns, abstained


def _collapsed(first: pd.Series[Any], second: pd.Series[Any]) -> tuple[pd.Series[Any], ...]:
    """Texts beyond the most frequent of both windows together become one."""
    if pd.api.types.is_numeric_dtype(first):
        return first, second
    frequent = pd.concat([first, second]).value_counts().index[:SHOWN_CATEGORIES]
    return tuple(values.where(values.isin(frequent), "(other)") for values in (first, second))


def _clean(column: pd.Series[Any]) -> pd.Series[Any]:
    """Numbers as floats with infinities missing; everything else as text."""
    if pd.api.types.is_bool_dtype(column):
        return column.astype(str)
    if pd.api.types.is_numeric_dtype(column):
        numbers = column.astype("float64")
        return numbers.where(np.isfinite(numbers))
    objects = column.astype("object")
    return objects.where(objects.isna(), objects.astype(str))


def _blocks(
    reference: pd.DataFrame, current: pd.DataFrame, block: str | None
) -> tuple[Ints, Ints, int] | None:
    if block is None:
        return None
    first, seen = pd.factorize(reference[block])
    second, more = pd.factorize(current[block])
    # A block on both sides is two: a day cut in the middle is still on two sides.
    codes = np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64) + len(seen)
    return codes[0], codes[1], len(seen) + len(more)


def _judge(
    columns: list[Column],
    blocks: tuple[Ints, Ints, int] | None,
    splits: Any,
    options: DriftOptions,
    seed: int,
) -> tuple[FeatureDrift, ...]:
    scores: list[float] = []
    chances: list[Chance] = []
    for column in columns:
        first, second, count = bins_of(column.reference, column.current)
        own = None
        if blocks is not None:
            own = blocks[0][column.kept[0]], blocks[1][column.kept[1]], blocks[2]
        scores.append(index_of(column.reference, column.current))
        chances.append(
            chance(
                first,
                second,
                count,
                blocks=own,
                splits=splits,
                permutations=options.permutations,
                seed=seed,
            )
        )
    p_values = np.array([c.p_value(s) for c, s in zip(chances, scores, strict=True)])
    p_adjusted = adjusted(p_values)
    surely = p_adjusted <= _LEVEL
    cut = float(p_values[surely].max()) if surely.any() else _LEVEL / len(columns)
    judged = []
    for place, (column, score, null) in enumerate(zip(columns, scores, chances, strict=True)):
        excess = score - null.mean
        drifted = bool(surely[place]) and excess >= options.psi_warn
        threshold = max(null.mean + options.psi_warn, float(np.quantile(null.draws, 1 - cut)))
        # Ties and interpolation may part the two by a hair; the p-value decides.
        threshold = min(threshold, score) if drifted else max(threshold, np.nextafter(score, 9e9))
        judged.append(
            FeatureDrift(
                feature=column.name,
                method="population stability index",
                score=score,
                expected=null.mean,
                threshold=float(threshold),
                p_value=float(p_values[place]),
                p_adjusted=float(p_adjusted[place]),
                drifted=drifted,
                severity="none"
                if not drifted
                else "major"
                if excess >= options.psi_fail
                else "minor",
                reference_rows=len(column.reference),
                current_rows=len(column.current),
            )
        )
    return tuple(judged)


def _grade(
    judged: tuple[FeatureDrift, ...], share: float, options: DriftOptions
) -> tuple[Grade, tuple[str, ...]]:
    drifted = sorted((f for f in judged if f.drifted), key=lambda f: -f.score)
    reasons = [
        f"{f.feature} moved {'far' if f.severity == 'major' else 'somewhat'}: stability index "
        f"{f.score:.2f} where chance gives {f.expected:.2f} (p {f.p_adjusted:.4f} after "
        f"adjustment for {len(judged)} columns)"
        for f in drifted
    ]
    if share >= options.share_fail:
        reasons.insert(0, f"{len(drifted)} of {len(judged)} columns moved")
    if share >= options.share_fail or any(f.severity == "major" for f in drifted):
        return "fail", tuple(reasons)
    return ("warn" if drifted else "pass"), tuple(reasons)
