"""Quality of answers without labels, estimated from answers that have them.

Classifiers by their own calibrated confidence, regressors by a model of their loss. How past
estimates fared is told in `record`; which days are compared, in `late`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.intervals import mean, newcombe, wilson
from finops_dagster.responsible_ai.performance.calibration import (
    calibrated,
    expected_area,
    thresholded_accuracy,
)
from finops_dagster.responsible_ai.performance.labelled import growth
from finops_dagster.responsible_ai.performance.loss import encoder, expected_loss, unseen_share
from finops_dagster.responsible_ai.performance.results import EstimatedQuality
from finops_dagster.responsible_ai.results import Interval, Task

Floats = NDArray[np.float64]

MIN_LABELLED = 200
"""Labelled answers under which nothing is estimated; a choice: ten days of twenty."""
MIN_OF_CLASS = 10
"""Labelled answers of the rarer class under which nothing is estimated; a choice."""
MISSING_SHARE = 0.05
"""Share of answers without a probability above which the rest may not stand for all."""
UNSEEN_SHARE = 0.1
"""Share of answers of inputs that no labelled answer had from which an estimate is doubted."""
_FOLDS = 5
_DRAWS = 2000
_LABEL_DRAWS = 200
_BINS = 20
_ROW_BLOCKS = 20
"""Blocks that rows without a day are cut into."""

_ASSUMED = {
    "classification": "It holds while what is true for the same inputs stays as it was (no concept "
    "drift). Other inputs than before are allowed for, where labelled answers had some like them.",
    "regression": "It holds while the model errs on the same inputs as it did (no concept drift). "
    "Other inputs than before are allowed for, where labelled answers had some like them.",
}


@dataclass(frozen=True)
class Answers:
    """Answers row by row, in two frames with one index, as `windows.ModelWindow` has them.

    features: numbers, or text of categories. outcomes: prediction, label (NaN where not known),
    probability (NaN where there is none) and day, if rows have one.
    """

    features: pd.DataFrame
    outcomes: pd.DataFrame

    def where(self, kept: NDArray[np.bool_]) -> Answers:
        return Answers(self.features[kept], self.outcomes[kept])

    def column(self, name: str) -> Floats:
        if name not in self.outcomes.columns:
            return np.full(len(self.outcomes), np.nan)
        return self.outcomes[name].to_numpy(dtype="float64")

    def day(self, which: Literal["min", "max"]) -> date | None:
        """The first or the last day; None where rows have none."""
        if "day" not in self.outcomes.columns:
            return None
        found: date = self.outcomes["day"].agg(which)
        return found

    def blocks(self) -> NDArray[np.int64]:
        """Which rows belong together: those of a day; without days, every twentieth row."""
        if "day" in self.outcomes.columns:
            return np.unique(self.outcomes["day"].astype(str), return_inverse=True)[1]
        return np.arange(len(self.outcomes)) % _ROW_BLOCKS


def estimate(
    subject: str,
    reference: Answers,
    analysis: Answers,
    *,
    task: Task,
    seed: int,
    concept_drift: str = "",
) -> EstimatedQuality | Abstained:
    """Accuracy or mean absolute error of `analysis`, whose labels are not looked at.

    reference: answers that may have a label; those without are left out. Classifiers: expected
    confusion matrix of calibrated probabilities (confidence-based performance estimation, NannyML;
    after C. Guo et al. 2017). Regressors: direct loss estimation. Interval: what past days' sums of
    truth differed from what was expected of them, by labels that the fit had not seen, drawn anew
    for the days estimated and for those fitted on, the latter weighted to where the former lie
    (residual bootstrap by day, Davison and Hinkley 1997, 6.2.3), scaled by the spread that answers
    of their kind have. concept_drift: why it is known that the assumption does not hold; then
    nothing is estimated.
    """
    reference = reference.where(
        np.isfinite(reference.column("label")) & np.isfinite(reference.column("prediction"))
    )
    analysis = analysis.where(np.isfinite(analysis.column("prediction")))
    classified = task == "classification"
    if classified:
        missing = max(_missing(reference), _missing(analysis))
        reference, analysis = _with_probability(reference), _with_probability(analysis)
    else:
        missing = 0.0
    refused = (
        (f"what is true for the same inputs has moved: {concept_drift}" if concept_drift else "")
        or _refused(reference, analysis, missing, classified=classified)
    )  # fmt: skip
    if refused:
        return Abstained(subject=subject, reason=f"quality without labels: {refused}")
    label, said = reference.column("label"), reference.column("prediction")
    encode = encoder(reference.features)
    inputs = encode(reference.features), encode(analysis.features)
    if classified:
        return _classifier(subject, reference, analysis, inputs, seed)
    loss = np.abs(said - label)
    inputs = (
        np.column_stack([inputs[0], said]),
        np.column_stack([inputs[1], analysis.column("prediction")]),
    )

    def fitted(rows: NDArray[np.bool_]) -> Callable[[Floats], Floats]:
        return expected_loss(inputs[0][rows], loss[rows], seed)

    expected = fitted(np.ones(len(loss), dtype=bool))(inputs[1])
    before = mean(loss)
    held_out = _held_out(reference.blocks(), lambda rows, rest: fitted(rows)(inputs[0][rest]))
    now = _interval(
        expected, expected**2, analysis.blocks(), held_out, held_out**2, loss, reference.blocks(),
        seed, high=None,
    )  # fmt: skip
    return EstimatedQuality(
        subject=subject,
        metric="mean_absolute_error",
        method="a model of the loss on inputs (direct loss estimation, gradient-boosted trees)",
        assumption=_ASSUMED[task],
        reference=before,
        estimate=now,
        worsening=growth(before, now),
        others=(),
        second_opinion=None,
        reference_rows=len(loss),
        analysis_rows=len(expected),
        first=analysis.day("min"),
        last=analysis.day("max"),
        doubts=_unlike(unseen_share(*inputs)),
    )


def _classifier(
    subject: str, reference: Answers, analysis: Answers, inputs: tuple[Floats, Floats], seed: int
) -> EstimatedQuality:
    label = (reference.column("label") > 0.5).astype("float64")
    probability, given = reference.column("probability"), analysis.column("probability")
    said, answered = reference.column("prediction") > 0.5, analysis.column("prediction") > 0.5
    right = said == (label > 0.5)
    calibrate, method = calibrated(probability, label)
    chance = calibrate(given)
    correct = np.where(answered, chance, 1 - chance)
    held_out = _held_out(
        reference.blocks(),
        lambda rows, rest: calibrated(probability[rows], label[rows])[0](probability[rest]),
    )
    expected = np.where(said, held_out, 1 - held_out)
    before = wilson(float(right.sum()), len(right))
    now = _interval(
        correct, correct * (1 - correct), analysis.blocks(),
        expected, expected * (1 - expected), right.astype("float64"), reference.blocks(),
        seed, high=1.0,
    )  # fmt: skip
    return EstimatedQuality(
        subject=subject,
        metric="accuracy",
        method=f"confidence-based performance estimation, calibrated by {method}",
        assumption=_ASSUMED["classification"],
        reference=before,
        estimate=now,
        worsening=newcombe(before, now),
        others=_others(given, answered, chance, seed),
        second_opinion=thresholded_accuracy(probability, right, given),
        reference_rows=len(label),
        analysis_rows=len(correct),
        first=analysis.day("min"),
        last=analysis.day("max"),
        doubts=_unlike(unseen_share(*inputs)),
    )


def _refused(
    reference: Answers, analysis: Answers, missing: float, *, classified: bool
) -> str | None:
    """Why nothing can be estimated, or None. Both without answers that have no value."""
    if classified and missing > MISSING_SHARE:
        return f"{missing:.0%} of the answers have no probability in [0, 1]"
    if len(analysis.outcomes) == 0:
        return "no answer of the days judged has a value"
    label = reference.column("label")
    if len(label) < MIN_LABELLED:
        return f"{len(label)} labelled answers before the days judged, {MIN_LABELLED} are needed"
    if classified:
        rarer = int(min((label > 0.5).sum(), (label <= 0.5).sum()))
        if rarer == 0:
            return "all labels are of one class, so that confidence cannot be held against truth"
        if rarer < MIN_OF_CLASS:
            return f"{rarer} labelled answers of the rarer class, {MIN_OF_CLASS} are needed"
    for name, answers in (("labelled answers", reference), ("answers judged", analysis)):
        told = answers.column("probability" if classified else "prediction")
        if np.ptp(told) == 0:
            return f"the model says {told[0]:.6g} of all {name}, whatever it is given"
    return None


def _probable(answers: Answers) -> NDArray[np.bool_]:
    probability = answers.column("probability")
    return np.isfinite(probability) & (probability >= 0) & (probability <= 1)


def _missing(answers: Answers) -> float:
    return 1 - float(_probable(answers).mean()) if len(answers.outcomes) else 0.0


def _with_probability(answers: Answers) -> Answers:
    return answers.where(_probable(answers))


def _held_out(
    blocks: NDArray[np.int64],
    predict: Callable[[NDArray[np.bool_], NDArray[np.bool_]], Floats],
) -> Floats:
    """What is expected of each row by a fit that has not seen its block: folds of whole blocks."""
    fold = blocks % min(_FOLDS, int(blocks.max()) + 1)
    if fold.max() == 0:  # one block: its halves
        fold = np.arange(len(blocks)) % 2
    found = np.empty(len(blocks))
    for one in range(int(fold.max()) + 1):
        rest = fold == one
        found[rest] = predict(~rest, rest)
    return found


def _interval(
    expected: Floats,
    spread: Floats,
    blocks: NDArray[np.int64],
    held_out: Floats,
    held_out_spread: Floats,
    realised: Floats,
    reference_blocks: NDArray[np.int64],
    seed: int,
    high: float | None,
) -> Interval:
    """Mean of `expected` and where the mean of the truth will lie; see `estimate`.

    spread: variance of one row's truth around what is expected of it, up to a factor.
    """
    generator = np.random.default_rng(seed)
    scale = np.sqrt(np.bincount(reference_blocks, weights=held_out_spread))
    scale = np.maximum(scale, 1e-12)
    miss = np.bincount(reference_blocks, weights=realised - held_out) / scale
    count = len(miss)
    miss = miss * np.sqrt(count / max(count - 1, 1))
    to_come = np.sqrt(np.bincount(blocks, weights=spread))
    ahead = generator.choice(miss, (_DRAWS, len(to_come))) @ to_come / len(expected)
    # what was learned where answers judged now lie counts as often as they lie there
    weight = _density_ratio(held_out, expected)
    learned_scale = np.sqrt(np.bincount(reference_blocks, weights=weight**2 * held_out_spread))
    learned = generator.choice(miss, (_DRAWS, count)) @ learned_scale / weight.sum()
    value = float(expected.mean())
    low, up = np.quantile(value + ahead + learned, (0.025, 0.975))
    low, up = min(value, max(0.0, float(low))), max(value, float(up))
    return Interval(value, low, up if high is None else min(high, up))


def _density_ratio(reference: Floats, analysis: Floats) -> Floats:
    """How much more often answers judged now are expected as wrong as each of the reference."""
    edges = np.unique(np.quantile(reference, np.linspace(0, 1, _BINS + 1)[1:-1]))
    places = [np.searchsorted(edges, side) for side in (reference, analysis)]
    before, now = (np.bincount(place, minlength=len(edges) + 1) for place in places)
    found: Floats = (now / np.maximum(before, 1))[places[0]] * len(reference) / len(analysis)
    return found if found.sum() > 0 else np.ones(len(reference))


def _others(
    score: Floats, answered: NDArray[np.bool_], chance: Floats, seed: int
) -> tuple[tuple[str, Interval], ...]:
    """Area under ROC, precision and recall of the expected confusion matrix; intervals by labels
    drawn from the calibrated probabilities."""
    generator = np.random.default_rng(seed)
    _, ties = np.unique(score, return_inverse=True)
    figures = {"area under ROC": expected_area(ties, chance)}
    drawn: dict[str, list[float]] = {"area under ROC": [], "precision": [], "recall": []}
    figures["precision"] = float(chance[answered].mean()) if answered.any() else None
    figures["recall"] = float(chance[answered].sum() / chance.sum()) if chance.sum() > 0 else None
    for _ in range(_LABEL_DRAWS):
        truth = (generator.random(len(chance)) < chance).astype("float64")
        area = expected_area(ties, truth)
        if area is not None:
            drawn["area under ROC"].append(area)
            drawn["recall"].append(float(truth[answered].sum() / truth.sum()))
        if answered.any():
            drawn["precision"].append(float(truth[answered].mean()))
    return tuple(
        (name, Interval(value, *map(float, np.quantile(drawn[name], (0.025, 0.975)))))
        for name, value in figures.items()
        if value is not None and drawn[name]
    )


def _unlike(share: float) -> tuple[str, ...]:
    if share <= UNSEEN_SHARE:
        return ()
    return (f"{share:.0%} of the answers are of inputs outside what any labelled answer had",)
