"""Model cards as pages: one of each engine, and an index of them.

What is on them is made elsewhere; text is escaped where pages are rendered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finops_dagster.domain.models import ALL
from finops_dagster.responsible_ai.cards.card import FOLDER, INDEX, METRICS, Card, Metric
from finops_dagster.responsible_ai.cards.diff import LEAST_CASES, CardDiff
from finops_dagster.responsible_ai.html import write_page

_SHOWN_SEGMENTS = 12
"""Segments that stand open on a card; the others are folded away."""


def write_cards(folder: Path, cards: Sequence[Card], diffs: Mapping[str, CardDiff]) -> Path:
    """Write `cards/NAME.html` of each card and their index into `folder`; returns the index.

    diffs: engine -> what changed since the last decided day; one without has nothing before it.
    """
    for card in cards:
        changes = diffs.get(card.name)
        write_page(
            folder / card.page,
            "card.html",
            card=card,
            diff=changes,
            columns=_columns(card),
            shown=_SHOWN_SEGMENTS,
            least=LEAST_CASES,
            before=_before(changes),
            text=figure,
        )
    rows = [(card, diffs.get(card.name), _headline(card)) for card in cards]
    return write_page(folder / FOLDER / INDEX, "cards.html", rows=rows, as_of=cards[0].as_of)


def figure(name: str, value: float | None) -> str:
    """A figure as people read it: shares in percent, counts whole."""
    if value is None:
        return ""
    if METRICS.get(name, Metric(name)).unit == "share":
        return f"{value:.1%}"
    return f"{value:,.0f}" if value == int(value) else f"{value:,.3g}"


def _columns(card: Card) -> list[tuple[str, Metric]]:
    """Figures of a card in the order of METRICS."""
    named = {name for one in card.metrics for name in one.values}
    named |= {name for values in card.baselines.values() for name in values}
    return [(name, metric) for name, metric in METRICS.items() if name in named]


def _before(changes: CardDiff | None) -> dict[str, Any]:
    """SEGMENT: METRIC -> its change, where there is one."""
    return {one.what: one for one in changes.of("metrics")} if changes else {}


def _headline(card: Card) -> str:
    """The first figures of everything together, in words."""
    whole = next((one for one in card.metrics if one.segment == ALL), None)
    if whole is None:
        return ""
    told = [
        f"{METRICS[name].words if name in METRICS else name}: {figure(name, value)}"
        for name, value in whole.values.items()
    ]
    return "; ".join(told[:3])
