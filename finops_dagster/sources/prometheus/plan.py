"""What is asked of a day: queries, each in chunks of time and series that stay within a bound.

How a query reads is in `promql`, what there is to ask in `catalogue`; nothing is sent here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from finops_dagster.sources.prometheus.catalogue import (
    KSERVE_LABEL,
    OWNERS,
    POD_LABELS,
    POD_PHASE,
    Kind,
    Metric,
)
from finops_dagster.sources.prometheus.promql import (
    HA_LABELS,
    STATISTICS,
    by,
    gauge,
    selector,
    slopes,
    without,
)
from finops_dagster.sources.prometheus.scope import Scope

DAY_SECONDS = 86_400
OWNER_STEP = 3_600
"""Owners are asked once an hour, for all of the hour."""
SURVEY_STEP = 1_800
"""Series are counted by half hours: long enough for six samples of the slowest usual scrape."""
SCOUT_STEP = 21_600
"""A first look at how many series there are: four times a day."""
_SCOUT_SECONDS = 600
_SHORT_STEPS = 12
"""Below this many points of time a query is split by series first: an hour of 5 minutes."""
_SCRAPES = (1, 2, 3, 5, 6, 10, 12, 15, 20, 30, 40, 45, 60, 75, 90, 100, 120, 150, 180, 200, 225,
            300, 360, 450, 600, 900)  # fmt: skip
"""Seconds between scrapes that people set: what is measured is rounded to the nearest."""

_REVISION = 1
"""Raised when queries come to mean something else while the catalogue stays as it is."""

Build = Callable[[Sequence[str]], str]
"""Matchers of the part that is asked -> the query."""


@dataclass(frozen=True)
class Query:
    """One question about a day. Its answer has `labels`, a time and a value."""

    key: str
    """Of the metric, or of the information series."""
    statistic: str
    labels: tuple[str, ...]
    build: Build
    step: int
    series: int
    """How many series it reads at most at one time."""
    scrape: int
    """Seconds between their samples."""
    label: str
    """That it is split by."""
    lookback: int
    """Seconds of samples before its first point that it reads."""


@dataclass(frozen=True)
class Chunk:
    """A part of a query: points of time from `start` to `end`, both asked, of some series."""

    query: Query
    start: int
    end: int
    scope: Scope

    @property
    def text(self) -> str:
        return self.query.build(self.scope.matchers)

    @property
    def points(self) -> int:
        return (self.end - self.start) // self.query.step + 1

    @property
    def estimate(self) -> int:
        """Samples that a server may count for it: all that are read, and twice its answer."""
        raw = (self.end - self.start + self.query.lookback) / self.query.scrape
        each = raw + 2 * self.points
        return max(1, round(self.query.series * self.scope.share * each))

    @property
    def name(self) -> str:
        """The same for the same question, so that its answer is found again."""
        said = f"{self.text}\n{self.start}\n{self.end}\n{self.query.step}"
        return hashlib.sha256(said.encode()).hexdigest()[:32]

    def halves(self) -> tuple[Chunk, ...]:
        """Two chunks that are this one together; none where it cannot be split."""
        if self.points >= _SHORT_STEPS:
            return self._in_time()
        scopes = self.scope.halves()
        if scopes:
            return tuple(replace(self, scope=scope) for scope in scopes)
        return self._in_time() if self.points > 1 else ()

    def _in_time(self) -> tuple[Chunk, ...]:
        middle = self.start + (self.points // 2) * self.query.step
        return (
            replace(self, end=middle - self.query.step),
            replace(self, start=middle),
        )


def chunks(query: Query, day: int, limit: int) -> list[Chunk]:
    """A query about the day that starts at `day` (Unix seconds), in parts within `limit`.

    An interval is asked at its end, so that the first point is a step after the day's start.
    """
    return within(Chunk(query, day + query.step, day + DAY_SECONDS, Scope(query.label)), limit)


def within(chunk: Chunk, limit: int) -> list[Chunk]:
    """The chunk, split until its parts are within `limit`, or cannot be split."""
    halves = chunk.halves() if chunk.estimate > limit else ()
    return [part for half in halves for part in within(half, limit)] or [chunk]


@dataclass(frozen=True)
class Surveyed:
    """What there is of a metric on a day."""

    series: int
    """At most, in one half hour."""
    scrape: int
    label: str
    """That queries are split by: where exporters' labels were kept, `exported_`."""


def scout(name: str, label: str, matchers: Sequence[str]) -> Query:
    """How many series there are now and then: what a survey is cut by."""
    return Query(
        key=name,
        statistic="scout",
        labels=(),
        build=lambda scope: (
            f"count(last_over_time("
            f"{selector(name, (*matchers, *scope))}[{_SCOUT_SECONDS}s] offset 1ms))"
        ),
        step=SCOUT_STEP,
        series=1,
        scrape=60,
        label=label,
        lookback=_SCOUT_SECONDS,
    )


def survey(name: str, label: str, matchers: Sequence[str], expected: int) -> Query:
    """How many series have how many samples in each half hour. `expected`: by the scout."""
    return Query(
        key=name,
        statistic="survey",
        labels=("n",),
        build=lambda scope: (
            f'count_values("n", count_over_time('
            f"{selector(name, (*matchers, *scope))}[{SURVEY_STEP}s] offset 1ms))"
        ),
        step=SURVEY_STEP,
        series=expected,
        scrape=60,
        label=label,
        lookback=SURVEY_STEP,
    )


def scrape_of(counts: Mapping[int, int], unknown: int) -> int:
    """Seconds between samples: of the median series, by {samples in half an hour: series}.

    A series with one sample tells nothing; `unknown` stands where there are no others.
    """
    told = {samples: series for samples, series in counts.items() if samples > 1}
    total, seen = sum(told.values()), 0
    for samples in sorted(told):
        seen += told[samples]
        if 2 * seen >= total:
            measured = SURVEY_STEP / samples
            return min(_SCRAPES, key=lambda one: max(one / measured, measured / one))
    return unknown


def measurements(
    metric: Metric,
    found: Surveyed,
    matchers: Sequence[str],
    cluster_label: str | None,
    step: int,
    *,
    phases: bool,
) -> list[Query]:
    """The queries of one metric: its mean and, where it is wanted, maximum and quantiles.

    `phases`: whether the store knows phases of pods, so that finished ones can be left out.
    """
    keep = (*((cluster_label,) if cluster_label else ()), *metric.whose.labels, *metric.members)
    wanted = tuple(STATISTICS) if metric.spread else ("mean",)
    if metric.kind is Kind.COUNTER and found.scrape >= step:
        wanted = ("mean",)  # one slope in an interval is its mean, its maximum and its quantiles
    weight = 2 if (metric.running_only and phases) or metric.kind is Kind.SHARE else 1
    return [
        Query(
            key=metric.name,
            statistic=statistic,
            labels=keep,
            build=_build(metric, statistic, keep, found.scrape, matchers, step, phases=phases),
            step=step,
            series=weight * found.series * len(metric.matchers or ("",)),
            scrape=found.scrape,
            label=found.label,
            lookback=step + 2 * found.scrape,
        )
        for statistic in wanted
    ]


def _build(
    metric: Metric,
    statistic: str,
    keep: Sequence[str],
    scrape: int,
    matchers: Sequence[str],
    step: int,
    *,
    phases: bool,
) -> Build:
    def over(of: str) -> str:
        if metric.kind in (Kind.COUNTER, Kind.QUANTILE):
            return slopes(statistic, of, step, scrape)
        return gauge(statistic, of, step)

    def build(scope: Sequence[str]) -> str:
        named = [
            selector(metric.series, (own, *matchers, *scope)) for own in metric.matchers or ("",)
        ]
        if metric.kind is Kind.SHARE:
            some = selector(metric.series, (metric.state, *matchers, *scope))
            return _share(keep, some, named[0], step)
        inner = " or ".join(over(one) for one in named)
        if metric.kind is Kind.QUANTILE:
            return f"histogram_quantile(0.95, {by('sum', (*keep, 'le'), inner)})"
        if metric.unlabelled:
            return by("sum", keep, without("max", HA_LABELS, inner))
        if metric.parts:
            return by("sum", keep, by("max", (*keep, *metric.parts), inner))
        # of two servers that scraped one target the larger value, never their sum
        once = by("max", keep, inner)
        if not (metric.running_only and phases):
            return once
        apart = (*metric.whose.container, *metric.members)
        same = ", ".join(label for label in keep if label not in apart)
        return f"{once} unless on ({same}) {_finished(matchers, scope, step)}"

    return build


def _share(keep: Sequence[str], some: str, every: str, step: int) -> str:
    """Samples in the state over all samples: 0 where all are in another, empty where none are."""
    in_state = by("sum", keep, f"count_over_time({some}[{step}s] offset 1ms)")
    of_all = by("sum", keep, f"count_over_time({every}[{step}s] offset 1ms)")
    return f"({in_state} or 0 * {of_all}) / {of_all}"


def _finished(matchers: Sequence[str], scope: Sequence[str], step: int) -> str:
    """Pods that had ended throughout an interval: they are listed until someone deletes them."""
    phase = selector(POD_PHASE, ('phase=~"Succeeded|Failed"', *matchers, *scope))
    return f"(min_over_time({phase}[{step}s] offset 1ms) == 1)"


def ownership(
    name: str,
    found: Surveyed,
    matchers: Sequence[str],
    cluster_label: str | None,
    pod_labels: Sequence[str] = (),
) -> Query:
    """Every owner that an information series told of, hour by hour; and these labels of pods."""
    own = f'{KSERVE_LABEL}!=""' if name == POD_LABELS and not pod_labels else ""
    labels = [f"label_{label}" for label in pod_labels] if name == POD_LABELS else ()
    keep = tuple(
        dict.fromkeys((*((cluster_label,) if cluster_label else ()), *OWNERS[name], *labels))
    )
    return Query(
        key=name,
        statistic="owner",
        labels=keep,
        build=lambda scope: by(
            "max",
            keep,
            f"last_over_time({selector(name, (own, *matchers, *scope))}[{OWNER_STEP}s] offset 1ms)",
        ),
        step=OWNER_STEP,
        series=found.series,
        scrape=found.scrape,
        label=found.label,
        lookback=OWNER_STEP,
    )


def digest(metrics: Iterable[Metric]) -> str:
    """Stands for all that decides what is asked: another, and days are asked anew."""
    said = repr([_REVISION, *metrics, OWNERS, HA_LABELS, STATISTICS])
    return hashlib.sha256(said.encode()).hexdigest()[:16]
