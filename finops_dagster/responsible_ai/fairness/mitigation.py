"""What would make a model treat groups more alike, tried on later days, with what it costs.

Reweighing of training rows and thresholds by group; choosing, and whether the law allows it, is for
people.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.fairness.breaches import breaches_of
from finops_dagster.responsible_ai.fairness.groups import Attribute, words
from finops_dagster.responsible_ai.fairness.judging import judge_fairness
from finops_dagster.responsible_ai.fairness.reweighing import stand_in, weights
from finops_dagster.responsible_ai.fairness.thresholds import (
    Aim,
    Candidates,
    best_thresholds,
    worth,
)
from finops_dagster.responsible_ai.intervals import mean
from finops_dagster.responsible_ai.results import (
    AttributeFairness,
    FairnessResult,
    FrontierPoint,
    Mitigation,
    Task,
)
from finops_dagster.responsible_ai.windows import ModelWindow

if TYPE_CHECKING:
    from finops_dagster.responsible_ai.gate import GateLimits

Labelled = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
"""Groups, outcomes (prediction, label, probability) and inputs, row by row."""
STRENGTHS = (0.75, 0.5, 0.25, 0.1, 0.05)
"""Shares of today's difference that thresholds may leave: the points of the frontier."""
MOST_ROWS = 50_000
"""Rows of the past that the stand-in learns from, evenly spaced."""


def mitigate(
    subject: str,
    earlier: Labelled,
    later: Labelled,
    *,
    task: Task,
    seed: int,
    smallest_group: int,
    error_cost: tuple[Decimal, str] | None = None,
    attributes: Sequence[str] | None = None,
) -> tuple[tuple[Mitigation, ...], tuple[Abstained, ...]]:
    """Fit on `earlier`, try on `later`: each way for each attribute, and what could not be tried.

    Only labelled rows count. error_cost: money of one wrong answer, and its currency. attributes:
    which of the groups' columns; None for all.
    """
    if task != "classification":
        return (), (Abstained(subject=subject, reason="mitigation is of classifiers only"),)
    past, now = _known(earlier), _known(later)
    for part, when in ((past, "earlier"), (now, "later")):
        if len(part[1]) < smallest_group:
            reason = f"mitigation needs labels; too few {when} answers have one"
            return (), (Abstained(subject=subject, reason=reason),)
    found: list[Mitigation] = []
    refused: list[Abstained] = []
    for name in map(str, past[0].columns) if attributes is None else attributes:
        tried = _Trial(name, past, now, seed, smallest_group, error_cost)
        usable = tried.groups()
        if len(usable) < 2:
            reason = f"fewer than two groups have {smallest_group} earlier answers of either class"
            refused.append(Abstained(subject=f"{subject} of {name}", reason=reason))
            continue
        for one in (*tried.thresholds(usable), tried.reweighed(usable)):
            if isinstance(one, Mitigation):
                found.append(one)
            else:
                refused.append(Abstained(subject=f"{subject} of {name}", reason=one))
    return tuple(found), tuple(refused)


def with_mitigations(
    fairness: FairnessResult | Abstained,
    labelled: tuple[ModelWindow, ModelWindow] | Abstained,
    limits: GateLimits,
    *,
    seed: int,
    smallest_group: int,
    error_cost: tuple[Decimal, str] | None = None,
) -> FairnessResult | Abstained:
    """`fairness` with what would mend each attribute that is in breach of `limits`.

    labelled: the reference and the newest window that have labels.
    """
    found = breaches_of(fairness, limits)
    names = {part.partition("=")[0] for one in found for part in one.segment.split(", ")}
    if isinstance(fairness, Abstained) or not names:
        return fairness
    if isinstance(labelled, Abstained):
        return replace(fairness, unmitigated=(labelled,))
    made, refused = mitigate(
        "mitigation",
        *((one.groups, one.outcomes, one.features) for one in labelled),
        task=fairness.task,
        seed=seed,
        smallest_group=smallest_group,
        error_cost=error_cost,
        attributes=[one.attribute for one in fairness.attributes if one.attribute in names],
    )
    return replace(fairness, mitigations=made, unmitigated=refused)


def _known(part: Labelled) -> Labelled:
    groups, outcomes, inputs = part
    kept = np.isfinite(outcomes["label"].to_numpy(dtype="float64")) & np.isfinite(
        outcomes["prediction"].to_numpy(dtype="float64")
    )
    first, second, third = (
        frame.loc[kept].reset_index(drop=True)
        for frame in (groups.set_axis(outcomes.index), outcomes, inputs.set_axis(outcomes.index))
    )
    return first, second, third


@dataclass(frozen=True)
class _Trial:
    """One attribute, on the labelled answers of earlier and of later days."""

    name: str
    past: Labelled
    now: Labelled
    seed: int
    smallest: int
    error_cost: tuple[Decimal, str] | None

    def groups(self) -> dict[str, NDArray[np.int64]]:
        """Earlier rows of each group that has enough of either class, then and later."""
        found = {}
        later = words(self.now[0][self.name]).value_counts()
        label = self.past[1]["label"].to_numpy(dtype="float64")
        one = Attribute.of(
            self.name, self.past[0][self.name], self.past[1], np.ones(len(label), dtype=np.bool_)
        )
        for group, place in one.places.items():
            ones = int((label[place] > 0.5).sum())
            enough = min(ones, len(place) - ones, int(later.get(group, 0))) >= self.smallest
            if enough:
                found[group] = place
        return found

    def thresholds(self, usable: Mapping[str, NDArray[np.int64]]) -> Iterator[Mitigation | str]:
        """Thresholds by group for either aim, with the frontier of what lesser ones do."""
        outcomes = self.past[1]
        score = outcomes["probability"].to_numpy(dtype="float64")
        label = outcomes["label"].to_numpy(dtype="float64")
        scored = {g: place[np.isfinite(score[place])] for g, place in usable.items()}
        few = [
            g
            for g, place in scored.items()
            if min((label[place] > 0.5).sum(), (label[place] <= 0.5).sum()) < self.smallest
        ]
        if few or not np.isfinite(self.now[1]["probability"].to_numpy(dtype="float64")).any():
            yield "thresholds need probabilities; too few answers of a group have one"
            return
        candidates = {g: Candidates.of(score[place], label[place]) for g, place in scored.items()}
        today = self._judged(self.past[1], self.past[0])
        aims: tuple[tuple[Aim, str], ...] = (
            ("demographic parity", "demographic_parity_difference"),
            ("equalized odds", "equalized_odds_difference"),
        )
        for aim, figure in aims:
            gap = None if today is None else getattr(today, figure)
            if gap is None:
                yield f"{aim}: too few earlier answers to say how far groups differ"
                continue
            yield self._frontier(aim, figure, gap.value, candidates)

    def _frontier(
        self, aim: Aim, figure: str, gap: float, candidates: Mapping[str, Candidates]
    ) -> Mitigation | str:
        said = self.now[1]["prediction"].to_numpy(dtype="float64") > 0.5
        now = self._judged(self.now[1], self.now[0])
        today = None if now is None else getattr(now, figure)
        if today is None:
            return f"{aim}: too few later answers to say how far groups differ"
        right = float((said == self._label()).mean())
        points = [FrontierPoint(gap, today.value, right)]
        offered: tuple[float, Mapping[str, float], NDArray[np.bool_], AttributeFairness] | None
        offered = None
        free = best_thresholds(candidates, aim, 1.0)
        for strength in STRENGTHS:
            chosen = best_thresholds(candidates, aim, strength * gap)
            if free is None or chosen is None:
                break
            value = worth(candidates, chosen, free, strength)
            if value <= 0:
                continue
            answers = self._answers(chosen, said)
            after = self._judged(self._with(answers), self.now[0])
            reached = None if after is None else getattr(after, figure)
            if after is None or reached is None:
                break
            right = float((answers == self._label()).mean())
            points.append(FrontierPoint(strength * gap, reached.value, right))
            if offered is None or value > offered[0]:
                offered = value, chosen, answers, after
        if offered is None:
            return f"{aim}: no thresholds bring groups closer at a loss that is worth it"
        _, best, given, then = offered
        return self._made("group thresholds", aim, said, given, then, best, points)

    def reweighed(self, usable: Mapping[str, NDArray[np.int64]]) -> Mitigation | str:
        """A stand-in that learns the labels from the inputs, with the weights and without.

        The model itself is not here to be trained anew, so that the difference between both is what
        weights can be expected to do.
        """
        if not len(self.past[2].columns):
            return "reweighing needs inputs to learn from; the log has none"
        rows = np.sort(np.concatenate(list(usable.values())))
        if len(rows) > MOST_ROWS:
            rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
        group = words(self.past[0][self.name]).to_numpy(dtype=object)[rows]
        label = (self.past[1]["label"].to_numpy(dtype="float64")[rows] > 0.5).astype(np.float64)
        of = weights(group, label)
        weight = np.array([of[g, int(y)] for g, y in zip(group, label, strict=True)])
        learned = self.past[2].iloc[rows]
        plain, weighed = (
            stand_in(learned, self.now[2], label, given) >= 0.5 for given in (None, weight)
        )
        after = self._judged(self._with(weighed), self.now[0])
        if after is None:
            return "reweighing: too few later answers to compare groups"
        chosen = {f"{name}, label {value}": found for (name, value), found in of.items()}
        return self._made("reweighing", "demographic parity", plain, weighed, after, chosen, [])

    def _made(
        self,
        method: str,
        aim: Aim,
        before: NDArray[np.bool_],
        answers: NDArray[np.bool_],
        after: AttributeFairness,
        chosen: Mapping[str, float],
        points: Sequence[FrontierPoint],
    ) -> Mitigation | str:
        today = self._judged(self._with(before), self.now[0])
        if today is None:
            return f"{method}: too few later answers to compare groups"
        right = [(one == self._label()).astype(np.float64) for one in (before, answers)]
        change = mean(right[1] - right[0])
        return Mitigation(
            attribute=self.name,
            method="reweighing" if method == "reweighing" else "group thresholds",
            aim=aim,
            before=today,
            after=after,
            accuracy_before=float(right[0].mean()),
            accuracy_change=change,
            wrong_per_thousand=-1000 * change.value,
            cost=self._money(int(right[0].sum() - right[1].sum()), len(right[0])),
            settings=tuple(chosen.items()),
            frontier=tuple(points),
            rows=len(right[0]),
        )

    def _money(self, wrong: int, rows: int) -> str:
        if self.error_cost is None:
            return ""
        amount, currency = self.error_cost
        return f"{(amount * wrong * 1000 / rows).quantize(Decimal('0.01'))} {currency}"

    def _label(self) -> NDArray[np.bool_]:
        return np.asarray(self.now[1]["label"].to_numpy(dtype="float64") > 0.5, dtype=np.bool_)

    def _with(self, answers: NDArray[np.bool_]) -> pd.DataFrame:
        return self.now[1].assign(prediction=answers.astype(np.float64))

    def _answers(self, chosen: Mapping[str, float], said: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """What would have been said; as it was where a row has no probability or threshold."""
        score = self.now[1]["probability"].to_numpy(dtype="float64")
        limit = words(self.now[0][self.name]).map(dict(chosen)).to_numpy(dtype="float64")
        known = np.isfinite(score) & np.isfinite(limit)
        with np.errstate(invalid="ignore"):
            return np.where(known, score >= limit, said)

    def _judged(self, outcomes: pd.DataFrame, groups: pd.DataFrame) -> AttributeFairness | None:
        found = judge_fairness(
            self.name,
            groups[[self.name]],
            outcomes,
            task="classification",
            seed=self.seed,
            smallest_group=self.smallest,
        )
        if not isinstance(found, FairnessResult) or not found.attributes:
            return None
        # Probabilities stay as they are, whatever is made of them.
        return replace(found.attributes[0], calibration_difference=None)
