"""The drift of one monitored model: data, prediction, label and concept, whole and by segment.

How sure a move is, is told in `family`; what follows from one, in `breaches` and by policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import ALL
from finops_dagster.responsible_ai.drift.columns import Column, columns_of, hypotheses_of
from finops_dagster.responsible_ai.drift.concept import (
    Truth,
    concept_hypotheses,
    extra_error,
    residuals_of,
)
from finops_dagster.responsible_ai.drift.evidently import write_report
from finops_dagster.responsible_ai.drift.family import Hypothesis, judged_together
from finops_dagster.responsible_ai.drift.judging import (
    result_of,
    thinned,
    too_few_blocks,
    too_few_rows,
    with_rows,
)
from finops_dagster.responsible_ai.drift.results import (
    AlarmRule,
    DriftReport,
    ReferenceChoice,
    SegmentDrift,
    of_their_own,
)
from finops_dagster.responsible_ai.drift.segments import Segment, Segments, segments_of
from finops_dagster.responsible_ai.drift.shift import Blocks, Ints, daily_level, day_blocks
from finops_dagster.responsible_ai.drift.words import sentence
from finops_dagster.responsible_ai.results import (
    DriftKind,
    DriftOptions,
    DriftResult,
    FeatureDrift,
    Grade,
    Interval,
    Task,
)
from finops_dagster.responsible_ai.windows import ModelWindow

_Pair = tuple[ModelWindow, ModelWindow]
OUTPUT = "output: "
"""Before the name of what a model said, so that no input has that name."""


def judge_model_drift(
    reference: ModelWindow,
    analysis: ModelWindow,
    labelled: _Pair | Abstained,
    *,
    task: Task,
    chosen: ReferenceChoice,
    segments: Sequence[str] = (),
    seed: int,
    options: DriftOptions | None = None,
    html: Path | None = None,
) -> DriftReport | Abstained:
    """Judge one model's windows; write Evidently's HTML report of inputs and answers to `html`.

    Data and prediction drift compare `analysis` with `reference`. Label and concept drift compare
    the two windows of `labelled`, the newest with labels, or abstain with its reason. segments:
    group columns, or inputs that are categories, in each group of which all is judged as well.

    Each day's level (`shift.daily_level`) is parted evenly between the two families that have days
    of their own, so that the chance of any alarm of the day is at most the level (Bonferroni); in
    a family it is kept by `family.judged_together`.
    """
    options = options or DriftOptions()
    whole = _Judged.of(reference, analysis, segments, options)
    if refusal := too_few_rows(analysis.model, *whole.rows, options.min_rows):
        return refusal
    families = 1 if isinstance(labelled, Abstained) else 2
    level = daily_level(options.false_alarms_per_year) / families
    if refusal := too_few_blocks(analysis.model, whole.blocks, level):
        return refusal
    inputs, abstained = columns_of(analysis.model, whole.reference.features, whole.current.features)
    answers, more = columns_of(
        analysis.model, *_answers(whole.reference, whole.current), kind="prediction"
    )
    if not inputs and not answers:
        return Abstained(subject=analysis.model, reason="no column could be judged: all are empty")
    columns = [*inputs, *answers]
    found = list(
        judged_together(
            whole.hypotheses(columns, options),
            whole.blocks,
            level=level,
            options=options,
            seed=seed,
        )
    )
    truth = _judge_truth(labelled, task, segments, level, options, seed)
    if isinstance(truth, Abstained):
        label: DriftResult | Abstained = truth
        concept: DriftResult | Abstained = truth
    else:
        found += truth.found
        label = _kind(analysis.model, "label", found, truth.rows, truth.blocks, options)
        concept = _kind(analysis.model, "concept", found, truth.rows, truth.blocks, options)
    if html is not None:
        shown = [f for f in found if f.segment == ALL and f.kind in ("data", "prediction")]
        write_report(columns, shown, options, html)
    kinds: tuple[DriftResult | Abstained, ...] = (
        _kind(analysis.model, "data", found, whole.rows, whole.blocks, options),
        _kind(analysis.model, "prediction", found, whole.rows, whole.blocks, options),
        label,
        concept,
    )
    parts = _segments(whole.segments, found, truth, analysis.rows / whole.current.rows, options)
    result, reasons = _graded(kinds, parts)
    return DriftReport(
        subject=analysis.model,
        first=analysis.first,
        last=analysis.last,
        reference=chosen,
        rule=AlarmRule(
            options.false_alarms_per_year,
            daily_level(options.false_alarms_per_year),
            families,
            len(found),
        ),
        data=kinds[0],
        prediction=kinds[1],
        label=kinds[2],
        concept=kinds[3],
        segments=parts,
        shielded=whole.segments.shielded,
        abstained=(*abstained, *more, *whole.segments.abstained),
        result=result,
        reasons=reasons,
        labelled_last=None if isinstance(truth, Abstained) else truth.last,
        extra_error=None if isinstance(truth, Abstained) else truth.errors[ALL],
        answers_a_day=analysis.rows / ((analysis.last - analysis.first).days + 1),
    )


@dataclass(frozen=True)
class _Judged:
    """Two windows as they are read: thinned, with their days and segments."""

    reference: ModelWindow
    current: ModelWindow
    blocks: Blocks
    segments: Segments

    @classmethod
    def of(
        cls,
        reference: ModelWindow,
        current: ModelWindow,
        attributes: Sequence[str],
        options: DriftOptions,
    ) -> _Judged:
        sides = [_rows(one, thinned(one.rows, options)) for one in (reference, current)]
        days = [side.outcomes["day"].to_numpy() for side in sides]
        return cls(
            sides[0],
            sides[1],
            day_blocks(days[0], days[1]),
            segments_of(sides[0], sides[1], attributes, options),
        )

    @property
    def rows(self) -> tuple[int, int]:
        return self.reference.rows, self.current.rows

    def hypotheses(self, columns: Sequence[Column], options: DriftOptions) -> list[Hypothesis]:
        """Whether each column moved in the whole and in each segment."""
        made = hypotheses_of(columns, self.blocks, options)
        for one in self.segments.judged:
            made += hypotheses_of(
                columns, self.blocks, options, one.rows, one.name, fixed=(one.attribute,)
            )
        return made


@dataclass(frozen=True)
class _TruthFound:
    """What labels say of two windows."""

    found: tuple[FeatureDrift, ...]
    rows: tuple[int, int]
    blocks: Blocks
    last: date
    errors: dict[str, Interval]
    """Extra error by segment."""


def _rows(window: ModelWindow, places: Ints) -> ModelWindow:
    if len(places) == window.rows:
        return window
    return ModelWindow(
        window.model,
        window.first,
        window.last,
        window.features.iloc[places],
        window.groups.iloc[places],
        window.outcomes.iloc[places],
    )


def _answers(reference: ModelWindow, current: ModelWindow) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the model said; a probability that it never gives is no column."""
    sides = reference.outcomes, current.outcomes
    given = any(side["probability"].notna().any() for side in sides)
    kept = ["prediction", "probability"] if given else ["prediction"]
    return sides[0][kept].add_prefix(OUTPUT), sides[1][kept].add_prefix(OUTPUT)


def _judge_truth(
    labelled: _Pair | Abstained,
    task: Task,
    attributes: Sequence[str],
    level: float,
    options: DriftOptions,
    seed: int,
) -> _TruthFound | Abstained:
    """Label and concept drift of the answers that have a label."""
    if isinstance(labelled, Abstained):
        return labelled
    sides = []
    for window in labelled:
        known = window.outcomes[["prediction", "label"]].notna().all(axis=1).to_numpy()
        places = np.flatnonzero(known)
        sides.append(_rows(window, places[thinned(len(places), options)]))
    both = _Judged.of(sides[0], sides[1], attributes, options)
    name = both.current.model
    if refusal := too_few_rows(f"{name}: labels", *both.rows, options.min_rows):
        return refusal
    if refusal := too_few_blocks(f"{name}: labels", both.blocks, level):
        return refusal
    label, prediction, probability = (
        np.concatenate([side.outcomes[of].to_numpy(dtype="float64") for side in sides])
        for of in ("label", "prediction", "probability")
    )
    scored = task == "classification" and bool(np.isfinite(probability).any())
    score = np.where(np.isfinite(probability), probability, prediction) if scored else prediction
    truth = Truth(task, label, prediction, score)
    inputs, _ = columns_of(name, both.reference.features, both.current.features)
    groups, _ = columns_of(name, both.reference.groups, both.current.groups)
    residuals = residuals_of(truth, inputs, groups)
    before, now = (side.outcomes[["label"]] for side in (both.reference, both.current))
    labels, _ = columns_of(name, before, now, kind="label")
    tried = both.hypotheses(labels, options)
    places_of: list[tuple[str, Ints | None]] = [(ALL, None)]
    places_of += [(one.name, one.rows) for one in both.segments.judged]
    errors = {}
    for segment, rows in places_of:
        tried += concept_hypotheses(
            truth, residuals, both.blocks, both.rows[0], options, rows, segment
        )
        errors[segment] = extra_error(truth.errors, both.blocks, rows)
    found = judged_together(tried, both.blocks, level=level, options=options, seed=seed)
    return _TruthFound(found, both.rows, both.blocks, labelled[1].last, errors)


def _kind(
    subject: str,
    kind: DriftKind,
    found: Sequence[FeatureDrift],
    rows: tuple[int, int],
    blocks: Blocks,
    options: DriftOptions,
) -> DriftResult | Abstained:
    own = [f for f in found if f.kind == kind and f.segment == ALL]
    if not own:
        return Abstained(subject=subject, reason=f"no column of {kind} could be judged")
    return result_of(subject, own, rows, blocks, options)


def _segments(
    segments: Segments,
    found: Sequence[FeatureDrift],
    truth: _TruthFound | Abstained,
    thinning: float,
    options: DriftOptions,
) -> tuple[SegmentDrift, ...]:
    """What was judged of each segment, with counts that may be shown; the most drifted first.

    thinning: rows of the window for every row that was read.
    """
    made = []
    for one in segments.judged:
        own = [f for f in found if f.segment == one.name]
        if one.coarse:
            own = [with_rows(f, _shown(one, f, options)) for f in own]
        current = int((len(one.rows) - one.reference_rows) * thinning)
        made.append(
            SegmentDrift(
                segment=one.name,
                reference_rows=one.count(one.reference_rows, options.smallest_group),
                current_rows=one.count(current, options.smallest_group),
                features=tuple(own),
                extra_error=None if isinstance(truth, Abstained) else truth.errors.get(one.name),
            )
        )
    return tuple(sorted(made, key=lambda part: -max((f.score for f in part.drifted), default=0.0)))


def _shown(segment: Segment, one: FeatureDrift, options: DriftOptions) -> tuple[int, int]:
    k = options.smallest_group
    return segment.count(one.reference_rows, k), segment.count(one.current_rows, k)


def _graded(
    kinds: Sequence[DriftResult | Abstained], segments: Sequence[SegmentDrift]
) -> tuple[Grade, tuple[str, ...]]:
    """The worst grade, and the reasons: of the whole, then of moves that segments have alone."""
    grades: list[Grade] = []
    reasons: list[str] = []
    whole: list[FeatureDrift] = []
    for kind in kinds:
        if isinstance(kind, DriftResult):
            grades.append(kind.result)
            reasons += kind.reasons
            whole += kind.drifted
    for one in of_their_own(segments, whole):
        grades.append("fail" if one.severity == "major" else "warn")
        reasons.append(sentence(one))
    result: Grade = "fail" if "fail" in grades else "warn" if "warn" in grades else "pass"
    return result, tuple(reasons)
