"""From the columns of two windows to counts per block and bin, whole or of one segment.

What is done with the counts is told in `family`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import ALL
from finops_dagster.responsible_ai.drift.family import Counts, Hypothesis
from finops_dagster.responsible_ai.drift.shift import (
    SHOWN_CATEGORIES,
    Blocks,
    Floats,
    Ints,
    bins_of_numbers,
)
from finops_dagster.responsible_ai.results import DriftKind, DriftOptions

MIN_VALUES = 30
PSI = "stability index"
_OTHERS = "(other)"
_PRESENCE = ("present", "missing")


@dataclass(frozen=True)
class Column:
    """One column of both windows, the reference's rows first."""

    name: str
    kind: DriftKind
    reference_rows: int
    numbers: Floats | None = None
    """NaN where missing; None for texts."""
    codes: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    """Of texts: place in `texts`, -1 where missing."""
    texts: tuple[str, ...] = ()
    of: str = ""
    """The column whose gaps it tells of, where it is one of gaps."""

    @property
    def there(self) -> NDArrayBool:
        """Which rows have a value."""
        return np.isfinite(self.numbers) if self.numbers is not None else self.codes >= 0

    def series(self, current: bool) -> pd.Series[Any]:
        """The values of one window, gaps left out."""
        side = slice(self.reference_rows, None) if current else slice(0, self.reference_rows)
        kept = self.there[side]
        if self.numbers is not None:
            return pd.Series(self.numbers[side][kept])
        return pd.Series(np.array(self.texts, dtype="object")[self.codes[side][kept]])


NDArrayBool = np.ndarray[Any, np.dtype[np.bool_]]


def columns_of(
    subject: str, reference: pd.DataFrame, current: pd.DataFrame, *, kind: DriftKind = "data"
) -> tuple[list[Column], list[Abstained]]:
    """Every column that both frames share, and one of its gaps where it has any.

    Infinite numbers are gaps. Texts beyond the most frequent of both windows together become one.
    A column in one window only, or whose name stands for several, or with too few values in one
    of the windows, is told of instead.
    """
    columns: list[Column] = []
    abstained: list[Abstained] = []
    twice = {
        str(name)
        for frame in (reference, current)
        for name in frame.columns[frame.columns.duplicated()]
    }
    sides = [{str(name): name for name in frame.columns} for frame in (reference, current)]
    for name in (*sides[0], *(name for name in sides[1] if name not in sides[0])):
        reason = ""
        if name in twice:
            reason = "the name stands for several columns"
        elif not all(name in side for side in sides):
            reason = "the column is in one window only"
        else:
            column = _column(
                name, kind, *(f[s[name]] for f, s in zip((reference, current), sides, strict=True))
            )
            there = column.there
            if not there.all():
                gaps = (~there).astype(np.int64)
                columns.append(
                    Column(f"{name} (missing)", kind, len(reference), None, gaps,
                           _PRESENCE, of=name)
                )  # fmt: skip
            if min(there[: len(reference)].sum(), there[len(reference) :].sum()) < MIN_VALUES:
                reason = f"fewer than {MIN_VALUES} values in one of the windows"
            else:
                columns.append(column)
        if reason:
            abstained.append(Abstained(subject=f"{subject}: {name}", reason=reason))
    return columns, abstained


def _column(
    name: str, kind: DriftKind, reference: pd.Series[Any], current: pd.Series[Any]
) -> Column:
    if all(_is_number(side) for side in (reference, current)):
        numbers = np.concatenate(
            [side.to_numpy(dtype="float64", na_value=np.nan) for side in (reference, current)]
        )
        numbers[~np.isfinite(numbers)] = np.nan
        return Column(name, kind, len(reference), numbers)
    values = pd.concat([side.astype("object") for side in (reference, current)], ignore_index=True)
    distinct, objects = pd.factorize(values)
    # 1 and "1" are one text; a gap stays one
    same, found = pd.factorize(pd.Series(list(map(str, objects)), dtype="object"))
    codes = np.append(same, -1)[distinct]
    texts = tuple(map(str, found))
    if len(texts) > SHOWN_CATEGORIES:
        counts = np.bincount(codes[codes >= 0], minlength=len(texts))
        kept = np.argsort(-counts, kind="stable")[:SHOWN_CATEGORIES]
        places = np.full(len(texts) + 1, SHOWN_CATEGORIES)
        places[kept], places[-1] = np.arange(SHOWN_CATEGORIES), -1
        codes, texts = places[codes], (*(texts[one] for one in kept), _OTHERS)
    return Column(name, kind, len(reference), None, np.asarray(codes, dtype=np.int64), texts)


def _is_number(side: pd.Series[Any]) -> bool:
    return pd.api.types.is_numeric_dtype(side) and not pd.api.types.is_bool_dtype(side)


def hypotheses_of(
    columns: Iterable[Column],
    blocks: Blocks,
    options: DriftOptions,
    rows: Ints | None = None,
    segment: str = ALL,
    fixed: Sequence[str] = (),
) -> list[Hypothesis]:
    """Whether each column moved, over all rows or over some.

    rows: places of a segment's rows; in it, columns with too few values are passed over, as they
    are judged in the whole. fixed: columns that say the segment and so cannot move in it.
    """
    made = []
    for column in columns:
        if column.name in fixed or column.of in fixed:
            continue
        there = column.there
        kept = np.flatnonzero(there) if rows is None else rows[there[rows]]
        before = int(np.searchsorted(kept, column.reference_rows))
        sizes = before, len(kept) - before
        if min(sizes) < MIN_VALUES:
            continue
        if column.numbers is not None:
            codes, count = bins_of_numbers(column.numbers[kept])
        else:
            codes, count = column.codes[kept], len(column.texts)
        table = np.bincount(blocks.codes[kept] * count + codes, minlength=blocks.count * count)
        counts = table.reshape(blocks.count, count).astype(np.float64)
        made.append(
            Hypothesis(
                kind=column.kind,
                segment=segment,
                feature=column.name,
                method=PSI,
                table=Counts(counts[:, counts.sum(axis=0) > 0]),
                warn=options.psi_warn,
                fail=options.psi_fail,
                rows=sizes,
            )
        )
    return made
