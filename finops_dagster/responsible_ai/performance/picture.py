"""Past estimates against what labels said, as places on a small picture; the template draws them.

What they say is told in `late`.
"""

from __future__ import annotations

from dataclasses import dataclass

from finops_dagster.responsible_ai.performance.results import EstimateRecord, PastEstimate

_HEIGHT, _TOP, _BOTTOM, _LEFT, _STEP = 150, 10, 26, 60, 46


@dataclass(frozen=True)
class Mark:
    """One past estimate, in pixels from the left and from above."""

    x: float
    low: float
    high: float
    estimate: float
    realised: float
    held: bool
    title: str


@dataclass(frozen=True)
class EstimatePicture:
    """Its size in pixels, its marks, and (place, text) of its ticks."""

    width: int
    height: int
    marks: tuple[Mark, ...]
    ticks: tuple[tuple[float, str], ...]
    days: tuple[tuple[float, str], ...]


def estimate_picture(record: EstimateRecord) -> EstimatePicture:
    """A column per past estimate, the oldest first, on one scale from the least to the most."""
    every = [value for one in record.past for value in (*_ends(one), one.realised)]
    least, most = min(every), max(every)
    span = (most - least) or 1.0

    def place(value: float) -> float:
        return round(_TOP + (most - value) / span * (_HEIGHT - _TOP - _BOTTOM), 1)

    marks, days = [], []
    for number, one in enumerate(record.past):
        x = float(_LEFT + _STEP * number + _STEP // 2)
        low, high = _ends(one)
        marks.append(
            Mark(
                x=x,
                low=place(low),
                high=place(high),
                estimate=place(one.estimate.value),
                realised=place(one.realised),
                held=one.held,
                title=f"{one.first} to {one.last}: estimated {one.estimate.value:.3g}, by labels "
                f"{one.realised:.3g}",
            )
        )
        days.append((x, f"{one.last:%m-%d}"))
    return EstimatePicture(
        width=_LEFT + _STEP * len(record.past),
        height=_HEIGHT,
        marks=tuple(marks),
        ticks=tuple((place(value), f"{value:.3g}") for value in dict.fromkeys((least, most))),
        days=tuple(days),
    )


def _ends(one: PastEstimate) -> tuple[float, float]:
    low, high = one.estimate.low, one.estimate.high
    value = one.estimate.value
    return (value if low is None else low), (value if high is None else high)
