"""How far a column moved, day by day, as points of a small static picture.

The picture is drawn by a page's template; what counts as drift is decided in `family`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from finops_dagster.responsible_ai.drift.results import DriftReport
from finops_dagster.responsible_ai.results import FeatureDrift

WIDTH, HEIGHT, _EDGE = 220.0, 44.0, 3.0
SHOWN = 12


@dataclass(frozen=True)
class Picture:
    """A line of figures over days, and the threshold; coordinates of a box WIDTH x HEIGHT."""

    column: FeatureDrift
    points: str
    """Of an SVG polyline."""
    threshold: float
    """Height of the threshold's line."""
    last: tuple[float, float]
    """Where the line ends: the day judged."""
    words: str
    """What it shows, for who cannot see it."""


def picture_of(column: FeatureDrift) -> Picture | None:
    """The history of one column; None where it has fewer than two days."""
    figures = column.history
    if len(figures) < 2:
        return None
    top = max(*figures, column.threshold) or 1.0
    step = (WIDTH - 2 * _EDGE) / (len(figures) - 1)

    def height(figure: float) -> float:
        return round(HEIGHT - _EDGE - figure / top * (HEIGHT - 2 * _EDGE), 1)

    places = [(round(_EDGE + step * day, 1), height(one)) for day, one in enumerate(figures)]
    return Picture(
        column=column,
        points=" ".join(f"{x:g},{y:g}" for x, y in places),
        threshold=height(column.threshold),
        last=places[-1],
        words=f"{column.feature}: {figures[0]:.2f} to {figures[-1]:.2f} over {len(figures)} "
        f"days, at most {max(figures):.2f}; threshold {column.threshold:.2f}",
    )


def pictures_of(report: DriftReport) -> tuple[Picture, ...]:
    """What drifted, then what came nearest to it, by how near; no more than SHOWN."""
    nearest = sorted(report.features, key=lambda one: -one.score / one.threshold)
    return _pictures([*report.drifted, *(one for one in nearest if not one.drifted)])


def _pictures(columns: Sequence[FeatureDrift]) -> tuple[Picture, ...]:
    made = (picture_of(one) for one in columns)
    return tuple(one for one in made if one is not None)[:SHOWN]
