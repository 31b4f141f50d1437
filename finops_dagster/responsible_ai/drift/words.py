"""What moved, in words for a person.

Whether it counts as drift is decided in `family`.
"""

from __future__ import annotations

from collections.abc import Sequence

from finops_dagster.domain.models import ALL
from finops_dagster.responsible_ai.results import FeatureDrift

_NAMED = 4
"""Other columns that are named."""


def sentence(one: FeatureDrift, others: Sequence[str] = ()) -> str:
    """One column that drifted, and which others did beside it."""
    where = "" if one.segment == ALL else f" among {one.segment}"
    text = (
        f"{one.feature} moved {'far' if one.severity == 'major' else 'somewhat'}{where}: "
        f"{one.method} {one.score:.2f} where chance gives {one.expected:.2f} "
        f"(p {one.p_adjusted:.4f} over all that was looked at)"
    )
    if not others:
        return text
    more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
    return f"{text}; {', '.join(others[:_NAMED])}{more} moved as well"
