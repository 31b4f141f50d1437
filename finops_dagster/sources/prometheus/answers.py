"""An answer's series as a table, each number looked at: what is none is counted, never a zero.

Where answers come from is in `client`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.prometheus.plan import Chunk

_MICROSECONDS = 1_000_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Answer:
    """Rows of one chunk, and what was strange about its points."""

    table: pa.Table
    """Columns `label_NAME`, `time` (start of the interval, UTC), `value`."""
    not_a_number: int
    """NaN: the store had samples and no value."""
    infinite: int
    unordered: int
    """Points that came after one that is later; they are used all the same."""


def read(chunk: Chunk, result: Sequence[Any], where: str) -> Answer:
    """The rows of an answer to a chunk.

    Points that are NaN or infinite are left out and counted. Raises Unavailable where a point
    lies outside of what was asked, or where one series has two values at a time: something
    between the store and us rewrites questions or answers.
    """
    labels = chunk.query.labels
    texts: list[list[str]] = [[] for _ in labels]
    lengths: list[int] = []
    times: list[Floats] = []
    values: list[Floats] = []
    nan = infinite = unordered = 0
    for series in result:
        try:
            given, points = series["metric"], series["values"]
            at = np.array([point[0] for point in points], np.float64)
            numbers = np.array([float(point[1]) for point in points], np.float64)
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise _strange(where, chunk, f"a series that cannot be read ({error!r})") from None
        _on_grid(at, chunk, where)
        backward = int(np.count_nonzero(np.diff(at) <= 0))
        if backward:
            unordered += int(np.count_nonzero(np.diff(at) < 0))
            at, numbers = _once(at, numbers, chunk, where)
        finite = np.isfinite(numbers)
        if not finite.all():
            nan += int(np.count_nonzero(np.isnan(numbers)))
            infinite += int(np.count_nonzero(np.isinf(numbers)))
            at, numbers = at[finite], numbers[finite]
        for place, label in enumerate(labels):
            texts[place].append(str(given.get(label, "")))
        lengths.append(len(at))
        times.append(at)
        values.append(numbers)
    index = pa.array(np.repeat(np.arange(len(lengths), dtype=np.int32), lengths))
    starts = (_joined(times) - chunk.query.step) * _MICROSECONDS
    table = pa.table(
        {
            **{
                f"label_{label}": pa.DictionaryArray.from_arrays(
                    index, pa.array(texts[place], pa.string())
                ).cast(pa.string())
                for place, label in enumerate(labels)
            },
            "time": pa.array(starts.astype(np.int64)).cast(pa.timestamp("us", tz="UTC")),
            "value": pa.array(_joined(values)),
        }
    )
    return Answer(table, nan, infinite, unordered)


def _joined(parts: Sequence[Floats]) -> Floats:
    return np.concatenate(parts) if parts else np.empty(0)


def _on_grid(at: Floats, chunk: Chunk, where: str) -> None:
    off = (at < chunk.start) | (at > chunk.end) | ((at - chunk.start) % chunk.query.step != 0)
    if off.any():
        found = f"a point at {at[off][0]}, where every {chunk.query.step} seconds from "
        raise _strange(where, chunk, f"{found}{chunk.start} to {chunk.end} were asked for")


def _once(at: Floats, numbers: Floats, chunk: Chunk, where: str) -> tuple[Floats, Floats]:
    """Points in order of time, those that are there twice once."""
    order = np.argsort(at, kind="stable")
    at, numbers = at[order], numbers[order]
    again = np.flatnonzero(np.diff(at) == 0)
    if not np.array_equal(numbers[again], numbers[again + 1], equal_nan=True):
        raise _strange(where, chunk, f"two values of one series at {at[again][0]}")
    return np.delete(at, again), np.delete(numbers, again)


def _strange(where: str, chunk: Chunk, found: str) -> Unavailable:
    return Unavailable(
        f"{where} answered what was not asked: {found}.",
        (
            Fault(
                code="answer_contradicts",
                file=where,
                column=chunk.query.key,
                expected=f"Expected one value of a series at each time asked for; found {found}.",
                hint="Something before the store changes questions or answers, such as a cache "
                "that moves times: name the store itself in `path`.",
            ),
        ),
    )
