"""A prediction's contributions in words: where it starts, what raises it, what lowers it.

The engine that made the prediction computes the contributions; they are only checked and told. How
they are drawn is in `waterfall`, and pages of them in `pages`.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from finops_dagster.domain.decisions import Abstained

SHOWN = 6
"""Reasons that are told and drawn one by one: the rest of a forecast's moves it little."""
TOLERANCE = 1e-6
"""Relative to the largest of prediction, base and 1: what 32-bit trees can keep."""


@dataclass(frozen=True)
class Contribution:
    """What one reason added to (or took from) the prediction, in the prediction's unit."""

    feature: str
    """In words."""
    amount: float
    of: tuple[tuple[str, float], ...] = ()
    """Inputs by name that the reason is made of, and what each added; they sum to `amount`."""


@dataclass(frozen=True)
class Explanation:
    """base + the sum of all contributions = prediction."""

    subject: str
    unit: str
    base: float
    prediction: float
    contributions: tuple[Contribution, ...]
    """All of them, largest in size first."""
    words: str
    base_words: str
    interval: tuple[float, float] | None = None
    """Ends between which it lies in 80 of 100 cases."""
    exact: bool = True
    """Whether the split between inputs is exact; the sum always is."""

    @property
    def digits(self) -> int:
        """After the point: none where cents would only be in the way."""
        return 0 if max(abs(self.base), abs(self.prediction)) >= 1000 else 2

    @property
    def shown(self) -> tuple[Contribution, ...]:
        """The largest, and the rest as one, so that what is shown adds up as well."""
        least = 0.5 * 10**-self.digits
        told = [one for one in self.contributions if abs(one.amount) >= least]
        top = told[:SHOWN] if len(told) > SHOWN + 1 else told
        left = [one for one in self.contributions if one not in top]
        rest = math.fsum(one.amount for one in left)
        if abs(rest) < least:
            return tuple(top)
        words = f"{len(left)} other reasons together" if len(left) > 1 else left[0].feature
        return (*top, Contribution(words, rest))

    def figure(self, value: float, *, signed: bool = False) -> str:
        """A number in the digits that all of this explanation are told in."""
        rounded = round(value, self.digits) + 0.0
        return f"{rounded:{'+' if signed else ''},.{self.digits}f}"


def explain(
    subject: str,
    base: float,
    contributions: Mapping[str, float],
    prediction: float,
    *,
    unit: str,
    labels: Mapping[str, str] | None = None,
    base_words: str = "what the model says before it looks at any input",
    interval: tuple[float, float] | None = None,
    exact: bool = True,
) -> Explanation | Abstained:
    """Words for one prediction; refuses where the contributions do not add up to it.

    labels: feature -> the reason in words; features of one reason are told as one, and their
    contributions add up (Shapley values are additive: Lundberg and Lee 2017). unit: such as USD.
    """
    labels = labels or {}
    numbers = [base, prediction, *contributions.values()]
    if not all(math.isfinite(number) for number in numbers):
        return Abstained(subject=subject, reason="a contribution is not a finite number")
    total = base + math.fsum(contributions.values())
    if abs(total - prediction) > TOLERANCE * max(1.0, abs(prediction), abs(base)):
        return Abstained(
            subject=subject,
            reason=f"base and contributions add up to {total:.6g}, not to {prediction:.6g}",
        )
    reasons: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for name, amount in contributions.items():
        reasons[labels.get(name, name.replace("_", " "))].append((name, amount))
    parts = [
        Contribution(
            words,
            math.fsum(amount for _, amount in of),
            tuple(sorted(of, key=lambda one: (-abs(one[1]), one[0]))),
        )
        for words, of in reasons.items()
    ]
    parts.sort(key=lambda one: (-abs(one.amount), one.feature))
    found = Explanation(
        subject, unit, base, prediction, tuple(parts), "", base_words, interval, exact
    )
    return Explanation(
        subject, unit, base, prediction, tuple(parts), _words(found), base_words, interval, exact
    )


def _words(found: Explanation) -> str:
    sentences = [f"{found.figure(found.prediction)} {found.unit} is expected."]
    if found.interval is not None:
        low, high = (found.figure(end) for end in found.interval)
        sentences[0] = f"{sentences[0][:-1]}, in 80 of 100 cases between {low} and {high}."
    sentences.append(f"It starts from {found.figure(found.base)}: {found.base_words}.")
    for verb, group in (
        ("raises", [one for one in found.shown if one.amount > 0]),
        ("lowers", [one for one in found.shown if one.amount < 0]),
    ):
        if group:
            listed = [f"{one.feature} ({found.figure(one.amount, signed=True)})" for one in group]
            sentences.append(f"What {verb} it: {_and(listed)}.")
    return " ".join(sentences)


def _and(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
