"""One day of a store onto disk: every chunk a Parquet file, written aside and then renamed.

What was fetched before an interruption is found by its name and not asked again. How the day is
cut is in `plan`, how its rows are put together in `rollup`.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

import pyarrow.parquet as pq

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.domain.periods import day_start
from finops_dagster.sources.prometheus import answers
from finops_dagster.sources.prometheus.catalogue import (
    CATALOGUE,
    NODE_NAMES,
    OWNERS,
    POD_LABELS,
    POD_PHASE,
)
from finops_dagster.sources.prometheus.client import Client, TooLarge
from finops_dagster.sources.prometheus.options import PrometheusOptions
from finops_dagster.sources.prometheus.plan import (
    Chunk,
    Query,
    Surveyed,
    chunks,
    measurements,
    ownership,
    scout,
    scrape_of,
    survey,
    within,
)
from finops_dagster.sources.prometheus.statistics import Statistics

_COUNTS = b"counts"
_LEAST_LIMIT = 1_000
"""Samples: a server that allows less is asked in halves, but not expected to."""
_SPLIT = {
    "kube_pod_owner": ("exported_pod", "pod"),
    POD_LABELS: ("exported_pod", "pod"),
    "kube_replicaset_owner": ("replicaset",),
    "kube_job_owner": ("job_name",),
    NODE_NAMES: ("instance",),
}
"""Labels that queries about owners are split by."""

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Part:
    """One answered chunk on disk, and what was strange about it."""

    key: str
    statistic: str
    file: Path
    """A row for each series, as in `answers.Answer`."""
    start: int
    """Unix seconds of its first interval's start, and of its last one's end."""
    end: int
    samples: int
    not_a_number: int
    infinite: int
    unordered: int


@dataclass(frozen=True)
class Extracted:
    """All answers about a day."""

    parts: tuple[Part, ...]
    surveyed: dict[str, Surveyed]
    """By series, of those that the day has."""


class Extraction:
    """Asks one store about one day after another."""

    def __init__(self, client: Client, options: PrometheusOptions, statistics: Statistics) -> None:
        self._client = client
        self._options = options
        self._statistics = statistics
        self._limit = options.max_samples
        """Falls where the server turns out to allow less."""

    def day(self, day: date, names: frozenset[str], folder: Path) -> Extracted:
        """Have every answer about `day` in `folder`; `names`: the series that the store has.

        Raises Unavailable; the answers got so far stay.
        """
        folder.mkdir(parents=True, exist_ok=True)
        start = int(day_start(day).timestamp())
        surveyed = self._surveyed(start, names, folder / "survey.json")
        queries = self._queries(surveyed)
        planned = [part for query in queries for part in chunks(query, start, self._limit)]
        parts = self._together(lambda chunk: self._fetched(chunk, folder), planned)
        return Extracted(tuple(part for some in parts for part in some), surveyed)

    def holds(self, day: date, names: frozenset[str]) -> bool:
        """Whether the store measured one of these series on `day`. Raises Unavailable.

        One sample by itself is none: a counter's at midnight ends the day before.
        """
        start = int(day_start(day).timestamp())
        for name in sorted(names):
            query = survey(name, _split_labels(name)[-1], self._options.matchers, 1)
            counts = self._counted(query, start)
            if len(counts) > 1 or any(n > 1 for found in counts.values() for n in found):
                return True
        return False

    def _queries(self, surveyed: dict[str, Surveyed]) -> list[Query]:
        options, matchers = self._options, self._options.matchers
        metrics = [metric for metric in CATALOGUE if metric.series in surveyed]
        owners = OWNERS if options.owners == "kube_state_metrics" else (NODE_NAMES,)
        return [
            *(
                ownership(
                    name, surveyed[name], matchers, options.cluster_label, options.label_series
                )
                for name in owners
                if name in surveyed
            ),
            *(
                query
                for metric in metrics
                for query in measurements(
                    metric,
                    surveyed[metric.series],
                    matchers,
                    options.cluster_label,
                    options.step_seconds,
                    phases=POD_PHASE in surveyed,
                )
            ),
        ]

    def _surveyed(self, start: int, names: frozenset[str], kept: Path) -> dict[str, Surveyed]:
        """What there is of each series; remembered, so that a day is cut the same way again."""
        if kept.exists():
            held = json.loads(kept.read_text(encoding="utf-8"))
            return {name: Surveyed(**found) for name, found in held.items()}
        wanted = sorted(names & ({metric.series for metric in CATALOGUE} | set(OWNERS)))
        found = self._together(lambda name: self._survey(name, start), wanted)
        surveyed = {name: one for name, one in zip(wanted, found, strict=True) if one is not None}
        if POD_PHASE in names:
            surveyed[POD_PHASE] = Surveyed(0, 60, "pod")
        text = json.dumps({name: asdict(one) for name, one in sorted(surveyed.items())})
        written(kept, lambda aside: aside.write_text(text, encoding="utf-8"))
        return surveyed

    def _survey(self, name: str, start: int) -> Surveyed | None:
        matchers = self._options.matchers
        *candidates, label = _split_labels(name)
        for candidate in candidates:
            if self._scouted(scout(name, candidate, (f'{candidate}!=""', *matchers)), start):
                label = candidate
                break
        expected = max(1, self._scouted(scout(name, label, matchers), start))
        counts = self._counted(survey(name, label, matchers, expected), start)
        if not counts:
            return None
        total: Counter[int] = Counter()
        for half_hour in counts.values():
            total.update(half_hour)
        series = max(half_hour.total() for half_hour in counts.values())
        scrape = self._options.scrape_seconds or scrape_of(total, self._options.step_seconds)
        return Surveyed(series, scrape, label)

    def _scouted(self, query: Query, start: int) -> int:
        """The most series at one time."""
        found: Counter[int] = Counter()
        for chunk in chunks(query, start, self._limit):
            for answer in self._answered(chunk):
                for _, moment, series in _points(answer):
                    found[moment] += series
        return max(found.values(), default=0)

    def _counted(self, query: Query, start: int) -> dict[int, Counter[int]]:
        """{half hour: {samples of a series in it: series}}."""
        counts: dict[int, Counter[int]] = {}
        for chunk in chunks(query, start, self._limit):
            for answer in self._answered(chunk):
                for given, moment, series in _points(answer):
                    samples = int(float(given["label_n"]))
                    counts.setdefault(moment, Counter())[samples] += series
        return counts

    def _fetched(self, chunk: Chunk, folder: Path) -> list[Part]:
        """A chunk's answer on disk, in as many parts as the server needs."""
        file = folder / f"{chunk.name}.parquet"
        if file.exists():
            self._statistics.add(chunks_reused=1)
            return [_part(chunk, file)]
        halves = within(chunk, self._limit)
        if len(halves) == 1:
            try:
                answer = self._asked(chunk)
            except TooLarge as error:
                halves = self._smaller(chunk, error)
                self._limit = max(_LEAST_LIMIT, min(self._limit, chunk.estimate * 3 // 4))
            else:
                _keep(answer, file)
                return [_part(chunk, file)]
        return [part for half in halves for part in self._fetched(half, folder)]

    def _answered(self, chunk: Chunk) -> list[answers.Answer]:
        """A chunk's answer in memory, in as many parts as the server needs."""
        try:
            return [self._asked(chunk)]
        except TooLarge as error:
            halves = self._smaller(chunk, error)
            return [one for half in halves for one in self._answered(half)]

    def _asked(self, chunk: Chunk) -> answers.Answer:
        self._statistics.largest(largest_estimate=chunk.estimate)
        result = self._client.query_range(chunk.text, chunk.start, chunk.end, chunk.query.step)
        answer = answers.read(chunk, result, self._client.url)
        self._statistics.add(samples=answer.samples, chunks_asked=1)
        self._statistics.largest(largest_answer=answer.samples)
        return answer

    def _smaller(self, chunk: Chunk, error: TooLarge) -> list[Chunk]:
        halves = chunk.halves()
        if not halves:
            raise Unavailable(
                f"{self._client.url} refuses even the smallest part of a query: {error}",
                (
                    Fault(
                        code="query_too_large",
                        file=self._client.url,
                        column=chunk.query.key,
                        expected="Expected an answer to a query for one point of time and a few "
                        f"series; the server refused it: {error}",
                        hint="Raise the server's limit of samples or series, or narrow what is "
                        "asked by `matchers`.",
                    ),
                ),
            )
        self._statistics.add(splits=1)
        return list(halves)

    def _together(self, work: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """`work` on every item, some at a time, in order; what is not begun stops at an error."""
        with ThreadPoolExecutor(self._options.concurrency) as pool:
            futures = [pool.submit(work, item) for item in items]
            try:
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise


def _points(answer: answers.Answer) -> Iterator[tuple[dict[str, Any], int, int]]:
    """(series, start of the interval, number of series) of an answer that counts."""
    for series in answer.table.to_pylist():
        for at, number in zip(series["times"], series["values"], strict=True):
            yield series, int(at.timestamp()), int(number)


def _split_labels(series: str) -> tuple[str, ...]:
    """Labels that a series' queries may be split by; the last where it has none of the others."""
    if series in _SPLIT:
        return _SPLIT[series]
    return next(metric.whose.split for metric in CATALOGUE if metric.series == series)


def _keep(answer: answers.Answer, file: Path) -> None:
    counts = [answer.samples, answer.not_a_number, answer.infinite, answer.unordered]
    table = answer.table.replace_schema_metadata({_COUNTS: json.dumps(counts)})
    written(file, lambda aside: pq.write_table(table, aside, compression="zstd"))


def _part(chunk: Chunk, file: Path) -> Part:
    counts = json.loads(pq.read_schema(file).metadata[_COUNTS])
    query = chunk.query
    return Part(query.key, query.statistic, file, chunk.start - query.step, chunk.end, *counts)


def written(path: Path, write: Callable[[Path], object]) -> None:
    """Have `write` fill a file aside, then put it in its place: it is whole or absent."""
    aside = path.with_name(f"{path.name}.part")
    write(aside)
    aside.replace(path)
