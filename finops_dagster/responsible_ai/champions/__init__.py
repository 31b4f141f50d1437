"""Which forecaster is used: a challenger replaces a champion only where it is surely better.

Where they are kept, and how a promotion becomes a change in Git, is decided elsewhere.
"""

from finops_dagster.responsible_ai.champions.comparison import (
    Comparison,
    Segment,
    Terms,
    compare,
)

__all__ = ["Comparison", "Segment", "Terms", "compare"]
