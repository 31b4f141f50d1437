"""Which versions of a model answered, and which of them met the limits while they did.

A version is judged on its own answers alone; what follows from it is decided in choosing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.domain.models import Check
from finops_dagster.responsible_ai.fairness.judging import SMALLEST_GROUP, judge_fairness
from finops_dagster.responsible_ai.gate import GateLimits, gate
from finops_dagster.responsible_ai.performance.labelled import judge_performance
from finops_dagster.responsible_ai.results import FairnessResult, PerformanceResult
from finops_dagster.responsible_ai.spec import ModelSpec
from finops_dagster.responsible_ai.windows import ModelWindow, window_of

HARMS = frozenset({Check.FAIRNESS, Check.QUALITY, Check.ESTIMATED_QUALITY})
"""Checks whose breach can come with a version, and leave with it."""


@dataclass(frozen=True)
class Span:
    """When a version answered, by the log: first and last day, and on how many answers."""

    version: str
    first: date
    last: date
    answers: int


@dataclass(frozen=True)
class VersionRecord:
    """One version, and what was found of its own answers."""

    span: Span
    judged_first: date
    judged_last: date
    answers: int
    """That were judged."""
    compliant: bool | None
    """It met the limits that are in breach now, and those of fairness; None: not to be told."""
    reason: str
    """What it was found to be, or why it could not be judged, in half a sentence."""


@dataclass(frozen=True)
class History:
    """Versions of one model in the order in which they came, the running one last."""

    running: Span
    """The version that came last."""
    shares_traffic: bool
    """An earlier version answered on its last day too."""
    began_with_it: bool | None
    """What is in breach was so in its first days already; None: not to be told."""
    earlier: tuple[VersionRecord, ...]

    def last_compliant(self) -> VersionRecord | None:
        """The newest of the earlier versions that met the limits."""
        fit = [one for one in self.earlier if one.compliant]
        return max(fit, key=lambda one: (one.span.last, one.span.first), default=None)


def spans_of(rows: Iterable[Mapping[str, Any]]) -> list[Span]:
    """Spans of one model's versions, from rows of version, day and answers."""
    by_version: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_version.setdefault(str(row["version"] or ""), []).append(row)
    return [
        Span(
            version,
            min(row["day"] for row in own),
            max(row["day"] for row in own),
            sum(int(row["answers"]) for row in own),
        )
        for version, own in by_version.items()
        if version
    ]


def history(
    predictions: pd.DataFrame,
    labels: pd.DataFrame | None,
    spans: Sequence[Span],
    spec: ModelSpec,
    breached: frozenset[Check],
    *,
    as_of: date,
    seed: int,
    limits: GateLimits | None = None,
    smallest_group: int = SMALLEST_GROUP,
) -> History | Abstained:
    """What each version of `spec` in the log was like, as known on `as_of`.

    `predictions` and `labels` hold the days that `wanted_days` asks for, with `model_version`;
    `spans` all versions that are to be looked at. An earlier version is judged on its last
    `analysis_days` days with labels, the running one on its first; both against the same limits,
    quality against each other.
    """
    spans = sorted((one for one in spans if one.first <= as_of), key=lambda one: one.first)
    if not spans:
        return Abstained(subject=spec.name, reason="no version of it answered in the days kept")
    running, before = spans[-1], spans[:-1]
    judge = _Judge(predictions, labels, spec, breached, seed, limits, smallest_group)
    end = min(running.last, running.first + timedelta(days=spec.analysis_days - 1))
    start = judge.window(running, running.first, end)
    records = [judge.record(one, start) for one in before]
    if isinstance(start, Abstained):
        began = None
    else:
        reference = next((judge.last(one) for one in reversed(before)), None)
        began = judge.in_breach(start, None if isinstance(reference, Abstained) else reference)
    return History(
        running=running,
        shares_traffic=any(one.last >= running.last for one in before),
        began_with_it=began,
        earlier=tuple(records),
    )


def wanted_days(
    spans: Sequence[Span], analysis_days: int, late_days: int
) -> list[tuple[date, date]]:
    """(first, last) day of each part of the log that `history` looks at, at most `late_days` before
    the end of a version for labels that had not come yet.
    """
    if not spans:
        return []
    ordered = sorted(spans, key=lambda one: one.first)
    length = timedelta(days=analysis_days + late_days - 1)
    first = ordered[-1].first
    found = [(first, min(ordered[-1].last, first + timedelta(days=analysis_days - 1)))]
    return [*((max(one.first, one.last - length), one.last) for one in ordered[:-1]), *found]


class _Judge:
    """Judges windows of single versions by the limits that are in breach."""

    def __init__(
        self,
        predictions: pd.DataFrame,
        labels: pd.DataFrame | None,
        spec: ModelSpec,
        breached: frozenset[Check],
        seed: int,
        limits: GateLimits | None,
        smallest_group: int,
    ) -> None:
        own = predictions[predictions["model"] == spec.name]
        self._by_version: Mapping[str, pd.DataFrame] = {
            str(name): rows for name, rows in own.groupby("model_version")
        }
        self._labels, self._spec, self._breached = labels, spec, breached
        self._seed, self._limits, self._smallest = seed, limits, smallest_group

    def window(self, span: Span, first: date, last: date) -> ModelWindow | Abstained:
        rows = self._by_version.get(span.version)
        subject = f"{self._spec.name} {span.version}"
        if rows is None:
            return Abstained(subject=subject, reason="its answers are not kept")
        return window_of(
            rows,
            self._labels,
            model=self._spec.name,
            features=(),
            protected=self._spec.protected,
            first=first,
            last=last,
        )

    def last(self, span: Span) -> ModelWindow | Abstained:
        """Its last days, of those whose labels have come where quality is asked for."""
        days = timedelta(days=self._spec.analysis_days - 1)
        end = span.last
        if self._breached & {Check.QUALITY}:
            whole = self.window(span, span.first, span.last)
            if not isinstance(whole, Abstained):
                known = whole.outcomes.loc[whole.outcomes["label"].notna(), "day"]
                end = max(known, default=end)
        return self.window(span, max(span.first, end - days), end)

    def record(self, span: Span, running: ModelWindow | Abstained) -> VersionRecord:
        judged = self.last(span)
        if isinstance(judged, Abstained):
            return VersionRecord(span, span.first, span.last, 0, None, judged.reason)
        compliant, reason = self._compliant(judged, running)
        return VersionRecord(span, judged.first, judged.last, judged.rows, compliant, reason)

    def _compliant(
        self, judged: ModelWindow, running: ModelWindow | Abstained
    ) -> tuple[bool | None, str]:
        fair = self._fair(judged)
        if fair is False:
            return False, "it breached the limits of fairness too"
        if fair is None:
            return None, "its fairness cannot be judged on so few answers"
        if Check.QUALITY not in self._breached:
            return True, "it met the limits of fairness"
        worse = None if isinstance(running, Abstained) else self._worse(judged, running)
        if worse is None:
            return None, "its quality cannot be judged: too few labels have come"
        if not worse:
            return False, "the running version is no worse than it was"
        return True, "it was better by more than the limit, and met those of fairness"

    def in_breach(self, judged: ModelWindow, before: ModelWindow | None) -> bool | None:
        """Whether any of what is in breach is so in one window; quality against `before`."""
        found: list[bool | None] = []
        if Check.FAIRNESS in self._breached:
            fair = self._fair(judged)
            found.append(None if fair is None else not fair)
        if Check.QUALITY in self._breached:
            found.append(None if before is None else self._worse(before, judged))
        if any(found):
            return True
        return None if None in found or not found else False

    def _fair(self, judged: ModelWindow) -> bool | None:
        if not self._spec.protected:
            return True
        made = judge_fairness(
            self._spec.name,
            judged.groups,
            judged.outcomes,
            task=self._spec.task,
            seed=self._seed,
            smallest_group=self._smallest,
        )
        if not isinstance(made, FairnessResult) or not made.attributes:
            return None
        return not _breaks(gate(self._spec.name, fairness=made, limits=self._limits))

    def _worse(self, before: ModelWindow, after: ModelWindow) -> bool | None:
        made = judge_performance(
            self._spec.name, before.outcomes, after.outcomes, task=self._spec.task
        )
        if not isinstance(made, PerformanceResult):
            return None
        return _breaks(gate(self._spec.name, performance=made, limits=self._limits))


def _breaks(judged: GateResult) -> bool:
    """What could not be judged only warns, and is no breach."""
    return judged.result == "fail" or bool(judged.breaches)
