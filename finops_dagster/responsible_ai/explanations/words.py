"""A prediction's contributions in words and as a picture.

The engine that made the prediction computes the contributions; they are only checked and shown.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finops_dagster.domain.decisions import Abstained

SHOWN = 5
TOLERANCE = 1e-6
"""Relative to the largest of prediction, base and 1: what 32-bit trees can keep."""


@dataclass(frozen=True)
class Contribution:
    """What one input added to (or took from) the prediction, in the prediction's unit."""

    feature: str
    amount: float


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

    @property
    def shown(self) -> tuple[Contribution, ...]:
        """The largest, and the rest as one, so that the bars add up as well."""
        top, rest = self.contributions[:SHOWN], self.contributions[SHOWN:]
        if not rest:
            return top
        left = math.fsum(one.amount for one in rest)
        return (*top, Contribution(f"{len(rest)} other inputs together", left))


def explain(
    subject: str,
    base: float,
    contributions: Mapping[str, float],
    prediction: float,
    *,
    unit: str,
    labels: Mapping[str, str] | None = None,
    base_words: str = "what the model says before it looks at any input",
) -> Explanation | Abstained:
    """Words for one prediction; refuses where the contributions do not add up to it.

    labels: feature -> words a person knows. unit: such as USD per day.
    """
    labels = labels or {}
    numbers = [base, prediction, *contributions.values()]
    if not all(math.isfinite(number) for number in numbers):
        return Abstained(subject=subject, reason="a contribution is not a finite number")
    total = base + math.fsum(contributions.values())
    scale = max(1.0, abs(prediction), abs(base))
    if abs(total - prediction) > TOLERANCE * scale:
        return Abstained(
            subject=subject,
            reason=f"base and contributions add up to {total:.6g}, not to {prediction:.6g}",
        )
    parts = tuple(
        Contribution(labels.get(name, name.replace("_", " ")), amount)
        for name, amount in sorted(contributions.items(), key=lambda i: (-abs(i[1]), i[0]))
    )
    found = Explanation(subject, unit, base, prediction, parts, words="")
    words = _words(found, base_words)
    return Explanation(subject, unit, base, prediction, parts, words)


def _words(found: Explanation, base_words: str) -> str:
    sentences = [
        f"{found.prediction:,.2f} {found.unit} is expected, starting from {found.base:,.2f}: "
        f"{base_words}."
    ]
    top = [one for one in found.contributions[:SHOWN] if one.amount]
    for verb, group in (
        ("raise", [one for one in top if one.amount > 0]),
        ("lower", [one for one in top if one.amount < 0]),
    ):
        if group:
            listed = [f"{one.feature} ({one.amount:+,.2f})" for one in group]
            ending = f"{verb}s it" if len(listed) == 1 else f"{verb} it"
            sentence = f"{_and(listed)} {ending}."
            sentences.append(sentence[:1].upper() + sentence[1:])
    rest = found.contributions[SHOWN:]
    if rest:
        left = math.fsum(one.amount for one in rest)
        sentences.append(f"The other {len(rest)} inputs together add {left:+,.2f}.")
    return " ".join(sentences)


def _and(items: Sequence[str]) -> str:
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def write_explanations(
    path: Path, title: str, explanations: Sequence[Explanation | Abstained]
) -> Path:
    """Write a static page with words and bars for each; returns `path`."""
    from finops_dagster.responsible_ai.html import write_page

    made = [one for one in explanations if isinstance(one, Explanation)]
    return write_page(
        path,
        "explanations.html",
        title=title,
        explanations=[
            (one, max((abs(part.amount) for part in one.shown), default=0.0) or 1.0) for one in made
        ],
        abstained=[one for one in explanations if isinstance(one, Abstained)],
    )
