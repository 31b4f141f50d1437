"""Whether a figure with its interval is past a limit: passed, likely or surely.

The limits themselves are in `gate`; what is measured, in the modules of each check.
"""

from __future__ import annotations

from finops_dagster.responsible_ai.results import Grade, Interval


def over(figure: Interval | None, limit: float) -> Grade | None:
    """How surely `figure` is above `limit`; None where it is not, or is not known.

    It warns where the figure and the middle of its interval are past the limit, and fails where the
    whole interval is.
    """
    if figure is None or min(figure.value, middle(figure)) <= limit:
        return None
    return "fail" if figure.low is not None and figure.low > limit else "warn"


def under(figure: Interval | None, limit: float) -> Grade | None:
    """How surely `figure` is below `limit`, likewise."""
    if figure is None or max(figure.value, middle(figure)) >= limit:
        return None
    return "fail" if figure.high is not None and figure.high < limit else "warn"


def middle(figure: Interval) -> float:
    """The middle of the interval, the figure itself where it has no ends."""
    if figure.low is None or figure.high is None:
        return figure.value
    return (figure.low + figure.high) / 2


def ends(figure: Interval) -> str:
    """The interval in words, with a leading space; empty where it has no ends."""
    if figure.low is None or figure.high is None:
        return ""
    return f" (95 %: {figure.low:.2f} to {figure.high:.2f})"
