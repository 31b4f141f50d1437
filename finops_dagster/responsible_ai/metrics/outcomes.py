"""From a table and its schema to predictions, labels, probabilities and groups, row by row.

What cannot be read is left out and told, or refused where nothing could be said; nothing is judged.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.responsible_ai.fairness.groups import words
from finops_dagster.responsible_ai.metrics.schema import (
    GroupColumn,
    MetricFault,
    MetricSchema,
    word,
)

Window = Literal["reference", "analysis"]
_BINARY = (("1", "0"), ("true", "false"), ("yes", "no"), ("Yes", "No"), ("y", "n"), ("1", "-1"),
           ("positive", "negative"), ("t", "f"))  # fmt: skip
"""What is plainly class 1 and class 0."""


@dataclass(frozen=True)
class Outcomes:
    """One window: outcomes as `judge_fairness` wants them, groups, and what was left out."""

    window: Window
    frame: pd.DataFrame
    """The table's own columns, those named twice left out."""
    outcomes: pd.DataFrame
    groups: pd.DataFrame
    told: tuple[str, ...]


def read_windows(
    reference: pd.DataFrame, analysis: pd.DataFrame, schema: MetricSchema
) -> tuple[Outcomes, Outcomes]:
    """Both windows of two tables, or of one where the schema's window says which row is where.

    Raises MetricFault where a named column is missing or there twice, where no row is in a window
    that the schema cuts out, and where columns hold other classes than the schema says.
    """
    tables: dict[Window, pd.DataFrame] = {"reference": reference, "analysis": analysis}
    cut = {
        name: _cut(_checked(frame, schema, name), schema, name) for name, frame in tables.items()
    }
    classes = _classes(cut.values(), schema) if schema.task == "classification" else {}
    before, now = (_read(window, frame, schema, classes) for window, frame in cut.items())
    return before, now


def _checked(frame: pd.DataFrame, schema: MetricSchema, window: Window) -> pd.DataFrame:
    frame = frame.rename(columns=str)
    for name in schema.named():
        if name not in frame.columns:
            near = difflib.get_close_matches(name, list(frame.columns), 1)
            there = ", ".join(list(frame.columns)[:30]) or "none"
            raise MetricFault(
                f"the {window} table has no column {name!r}",
                column=name,
                window=window,
                hint=f"Did you mean {near[0]!r}? " if near else f"Its columns are: {there}.",
            )
        if (frame.columns == name).sum() > 1:
            raise MetricFault(
                f"the {window} table has more than one column {name!r}",
                column=name,
                window=window,
                hint="Rename or remove all but one: which of them is meant cannot be told.",
            )
    return frame


def _cut(frame: pd.DataFrame, schema: MetricSchema, window: Window) -> pd.DataFrame:
    if schema.window is None:
        return frame
    name, rule = schema.window.column, getattr(schema.window, window)
    column = frame[name]
    if isinstance(rule, Mapping):
        inside = _between(column, rule, name, window)
    else:
        wanted = {word(one) for one in (rule if isinstance(rule, list | tuple) else [rule])}
        inside = column.map(word).isin(wanted)
    if not inside.any():
        values = ", ".join(sorted({word(one) for one in column.dropna().unique()[:1000]})[:8])
        raise MetricFault(
            f"no row of the {window} table has {name} {rule!r}",
            column=name,
            window=window,
            hint=f"It holds {values or 'nothing'}; mend window.{window} of the schema.",
        )
    return frame[inside.to_numpy(dtype=bool)].reset_index(drop=True)


def _between(
    column: pd.Series[Any], rule: Mapping[str, Any], name: str, window: Window
) -> pd.Series[bool]:
    numbers = pd.api.types.is_numeric_dtype(column)
    try:
        values = column if numbers else pd.to_datetime(column, utc=True)
        inside = pd.Series(True, index=column.index)
        ends = {
            key: end if numbers else pd.to_datetime(str(end), utc=True) for key, end in rule.items()
        }
        if "first" in ends:
            inside &= values >= ends["first"]
        if "last" in ends:
            last = ends["last"]
            # a day as an end is meant whole
            whole = not numbers and last == last.normalize()
            inside &= values < last + pd.Timedelta(days=1) if whole else values <= last
    except (ValueError, TypeError) as error:
        raise MetricFault(
            f"{name} and the ends of window.{window} cannot be compared: {error}",
            column=name,
            window=window,
            hint="Give numbers for a column of numbers, and dates for one of dates or times.",
        ) from None
    return inside


def _texts(column: pd.Series[Any], codes: Iterable[tuple[str, str]]) -> pd.Series[Any]:
    """A column as words; by `codes` where they name its value."""
    named = dict(codes)
    text = words(column)
    # word() makes one of 1 and 1.0, and of true and True: each distinct text is asked once
    known = {one: named.get(word(one), word(one)) for one in text.dropna().unique()}
    return text.map(known)


def _classes(frames: Iterable[pd.DataFrame], schema: MetricSchema) -> dict[str, str]:
    """Column -> the class that counts as 1. Raises MetricFault where that cannot be told."""
    found: dict[str, str] = {}
    frames = list(frames)
    for name, codes in (
        (schema.label, schema.label_values),
        (schema.prediction, schema.prediction_values),
    ):
        parts = [frame[name] for frame in frames if name is not None and name in frame.columns]
        if name is None or not parts:
            continue
        seen = {str(one) for part in parts for one in _texts(part, codes).dropna().unique()}
        found[name] = _positive(name, seen, schema)
    wanted = schema.positive
    if wanted is not None and found and wanted not in (*found.values(), *(p for p, _ in _BINARY)):
        raise MetricFault(
            f"neither {' nor '.join(found)} is ever {wanted!r}, which counts as class 1",
            column=next(iter(found)),
            hint="Name the class that counts with `positive`, as the table writes it.",
        )
    return found


def _positive(name: str, seen: set[str], schema: MetricSchema) -> str:
    plain = next((pair[0] for pair in _BINARY if seen <= set(pair)), None)
    wanted = schema.positive
    if wanted is not None and (wanted in seen or (plain is None and len(seen) < 2)):
        return wanted
    if plain is not None:
        return plain
    shown = ", ".join(sorted(seen)[:5]) + (", ..." if len(seen) > 5 else "")
    if wanted is not None:
        raise MetricFault(
            f"{name} holds {shown} and never {wanted!r}, which counts as class 1",
            column=name,
            hint="Name the class that counts with `positive`, as the table writes it, or map codes "
            "to it with `values`.",
        )
    if len(seen) > 2:
        raise MetricFault(
            f"{name} holds {len(seen)} classes ({shown}); figures of fairness are of two",
            column=name,
            hint="Name the class that counts as 1 with `positive: CLASS` (all others count as 0), "
            "once for each class of interest; or say `task: regression` if these are numbers.",
        )
    raise MetricFault(
        f"{name} holds {shown}; which of them is class 1 cannot be told",
        column=name,
        hint="Name it with `positive: CLASS`.",
    )


def _read(
    window: Window, frame: pd.DataFrame, schema: MetricSchema, classes: Mapping[str, str]
) -> Outcomes:
    told: list[str] = []
    empty = np.full(len(frame), np.nan)
    probability = empty
    if schema.probability is not None:
        probability = _numbers(frame[schema.probability], schema.probability, told)
        outside = (probability < 0) | (probability > 1)
        if outside.any():
            told.append(
                f"{int(outside.sum())} of {len(frame)} values of {schema.probability} are outside "
                "0 to 1, so no probabilities, and are left out"
            )
            probability = np.where(outside, np.nan, probability)
    values = {
        key: empty
        if name is None or name not in frame.columns
        else _values(frame[name], name, codes, schema, classes, told)
        for key, name, codes in (
            ("prediction", schema.prediction, schema.prediction_values),
            ("label", schema.label, schema.label_values),
        )
    }
    prediction = values["prediction"]
    if schema.threshold is not None and schema.probability is not None:
        made = np.isnan(prediction) & np.isfinite(probability)
        prediction = np.where(
            made, (probability >= schema.threshold).astype(np.float64), prediction
        )
    if schema.label is not None and len(frame) and not np.isfinite(values["label"]).any():
        told.append(f"no row has a label in {schema.label}")
    twice = frame.columns[frame.columns.duplicated(keep=False)]
    if len(twice):
        told.append(f"columns that are there twice are left out: {', '.join(dict.fromkeys(twice))}")
    return Outcomes(
        window=window,
        frame=frame.loc[:, ~frame.columns.duplicated(keep=False)],
        outcomes=pd.DataFrame(
            {"prediction": prediction, "label": values["label"], "probability": probability}
        ),
        groups=pd.DataFrame(
            {one.name: _group(frame[one.column], one) for one in schema.groups},
            index=pd.RangeIndex(len(frame)),
        ),
        told=tuple(told),
    )


def _values(
    column: pd.Series[Any],
    name: str,
    codes: tuple[tuple[str, str], ...],
    schema: MetricSchema,
    classes: Mapping[str, str],
    told: list[str],
) -> NDArray[np.float64]:
    """Numbers for a regressor; for a classifier 1 where it is the positive class, else 0."""
    if schema.task == "regression":
        return _numbers(_texts(column, codes) if codes else column, name, told)
    text = _texts(column, codes)
    infinite = text.isin(["inf", "-inf"]).to_numpy()
    if infinite.any():
        told.append(f"{int(infinite.sum())} of {len(column)} values of {name} are infinite")
    gone = text.isna().to_numpy() | infinite
    return np.where(gone, np.nan, (text == classes[name]).to_numpy(dtype="float64"))


def _numbers(column: pd.Series[Any], name: str, told: list[str]) -> NDArray[np.float64]:
    """As floats; what is no number and what is infinite becomes NaN, and is told."""
    found = pd.to_numeric(
        column.astype("object") if isinstance(column.dtype, pd.CategoricalDtype) else column,
        errors="coerce",
    )
    numbers = np.array(found, dtype="float64")
    infinite, odd = np.isinf(numbers), np.isnan(numbers) & words(column).notna().to_numpy()
    for which, what in ((infinite, "are infinite"), (odd, "are no numbers")):
        if which.any():
            told.append(f"{int(which.sum())} of {len(column)} values of {name} {what}")
    return np.where(infinite, np.nan, numbers)


def _group(column: pd.Series[Any], one: GroupColumn) -> NDArray[np.object_]:
    if not one.bands:
        return _texts(column, one.values).to_numpy(dtype=object)
    numbers = np.array(pd.to_numeric(column, errors="coerce"), dtype="float64")
    limits = one.bands
    names = [
        f"under {limits[0]:g}",
        *(f"{low:g} to under {high:g}" for low, high in pairwise(limits)),
        f"{limits[-1]:g} or more",
    ]
    found: NDArray[np.object_] = np.array(names, dtype=object)[np.digitize(numbers, limits)]
    found[np.isnan(numbers)] = None
    return found
