"""The page of a forecast's explanations: a sentence, a picture, and what is behind it folded away.

What is on it is made elsewhere; text is escaped where it is rendered.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.ids import content_id
from finops_dagster.responsible_ai.explanations.series import SeriesExplanation
from finops_dagster.responsible_ai.explanations.waterfall import waterfall
from finops_dagster.responsible_ai.explanations.words import Explanation
from finops_dagster.responsible_ai.html import write_page

SHOWN_SERIES = 80
"""A page of more is slow to open; the others are told by `finops forecast explain`."""


def anchor(series: str) -> str:
    """Where a series stands on its page: an id that no text from a bill can break."""
    return content_id("series", series)


def write_explanations(
    path: Path,
    title: str,
    explained: Sequence[SeriesExplanation],
    *,
    back: tuple[str, str] | None = None,
    left_out: Sequence[Abstained] = (),
) -> Path:
    """Write a static page of these series; returns `path`.

    back: text and relative link of the page that it belongs to. left_out: what is forecast and not
    explained, and why.
    """
    shown = explained[:SHOWN_SERIES]
    told = [(anchor(one.id), one, one.parts) for one in shown]
    refused = [part for *_, parts in told for part in parts if isinstance(part, Abstained)]
    exact = all(p.exact for *_, parts in told for p in parts if isinstance(p, Explanation))
    return write_page(
        path,
        "explanations.html",
        title=title,
        back=back,
        series=[
            (place, one.title, [(p, waterfall(p)) for p in parts if isinstance(p, Explanation)])
            for place, one, parts in told
        ],
        more=len(explained) - len(shown),
        exact=exact,
        abstained=[*refused, *left_out],
    )
