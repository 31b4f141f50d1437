"""An answer as a table of series, each number looked at: what is none is counted, never a zero.

Where answers come from is in `client`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.prometheus.plan import Chunk

_MICROSECONDS = 1_000_000

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Answer:
    """One chunk's series, and what was strange about their points."""

    table: pa.Table
    """A row for each series: columns `label_NAME`, `times` (starts of intervals, UTC), `values`."""
    samples: int
    """Points that have a value."""
    not_a_number: int
    """NaN: the store had samples and no value."""
    infinite: int
    unordered: int
    """Points that came after one that is later; they are used all the same."""


def read(chunk: Chunk, result: Sequence[Any], where: str) -> Answer:
    """The series of an answer to a chunk.

    Points that are NaN or infinite are left out and counted. Raises Unavailable where a point
    lies outside of what was asked, or where one series has two values at a time: something
    between the store and us rewrites questions or answers.
    """
    try:
        given = [series["metric"] for series in result]
        points = [series["values"] for series in result]
        texts = {
            label: pa.array([str(one.get(label, "")) for one in given], pa.string())
            for label in chunk.query.labels
        }
        offsets = np.cumsum([0, *(len(one) for one in points)], dtype=np.int64)
        flat = list(chain.from_iterable(chain.from_iterable(points)))
        at = np.fromiter(flat[0::2], np.float64)
        numbers = np.fromiter(map(float, flat[1::2]), np.float64)
        if not len(at) == len(numbers) == offsets[-1]:
            raise ValueError("a point that is not a time and a value")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _strange(where, chunk, f"a series that cannot be read ({error!r})") from None
    _on_grid(at, chunk, where)
    series = np.repeat(np.arange(len(points)), np.diff(offsets))
    at, numbers, series, unordered = _in_order(at, numbers, series, chunk, where)
    finite = np.isfinite(numbers)
    nan = int(np.count_nonzero(np.isnan(numbers)))
    infinite = int(np.count_nonzero(~finite)) - nan
    at, numbers, series = at[finite], numbers[finite], series[finite]
    ends = np.searchsorted(series, np.arange(len(points) + 1)).astype(np.int32)
    starts = ((at - chunk.query.step) * _MICROSECONDS).astype(np.int64)
    table = pa.table(
        {
            **{f"label_{label}": texts[label] for label in texts},
            "times": pa.ListArray.from_arrays(
                ends, pa.array(starts).cast(pa.timestamp("us", tz="UTC"))
            ),
            "values": pa.ListArray.from_arrays(ends, pa.array(numbers)),
        }
    )
    return Answer(table, len(numbers), nan, infinite, unordered)


def _on_grid(at: Floats, chunk: Chunk, where: str) -> None:
    off = (at < chunk.start) | (at > chunk.end) | ((at - chunk.start) % chunk.query.step != 0)
    if off.any():
        found = f"a point at {at[off][0]}, where every {chunk.query.step} seconds from "
        raise _strange(where, chunk, f"{found}{chunk.start} to {chunk.end} were asked for")


def _in_order(
    at: Floats, numbers: Floats, series: Ints, chunk: Chunk, where: str
) -> tuple[Floats, Floats, Ints, int]:
    """Points by series and time, those that are there twice once; how many came late."""
    later = np.diff(at)[np.diff(series) == 0]
    if (later > 0).all():
        return at, numbers, series, 0
    order = np.lexsort((at, series))
    at, numbers = at[order], numbers[order]
    again = np.flatnonzero((np.diff(at) == 0) & (np.diff(series) == 0))
    if not np.array_equal(numbers[again], numbers[again + 1], equal_nan=True):
        raise _strange(where, chunk, f"two values of one series at {at[again][0]}")
    late = int(np.count_nonzero(later < 0))
    return np.delete(at, again), np.delete(numbers, again), np.delete(series, again), late


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
