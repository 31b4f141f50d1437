"""What moved, in words for a person.

Whether it counts as drift is decided in `family`.
"""

from __future__ import annotations

from finops_dagster.domain.models import ALL
from finops_dagster.responsible_ai.results import FeatureDrift


def sentence(one: FeatureDrift, more: int = 0) -> str:
    """One column that drifted, and how many others did beside it."""
    where = "" if one.segment == ALL else f" among {one.segment}"
    text = (
        f"{one.feature} moved {'far' if one.severity == 'major' else 'somewhat'}{where}: "
        f"{one.method} {one.score:.2f} where chance gives {one.expected:.2f} "
        f"(p {one.p_adjusted:.4f} over all that was looked at)"
    )
    return text + (f"; {more} more moved" if more else "")
