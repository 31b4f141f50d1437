"""What an audit hands back: its outcomes as frozen types, and the options it was run with.

Great Expectations' own results ride along as JSON; the page for people is made in `page`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Abstained
from finops_dagster.quality.checks import Severity


@dataclass(frozen=True)
class LandingLimits:
    """How much of a delivery may be set aside or be off its control total."""

    quarantined_cost_share: Decimal = Decimal(0)
    """Of the absolute cost of a bill; a cost that cannot be read is over any limit but 1."""
    quarantined_row_share: Decimal = Decimal("0.01")
    """Of the rows of a table without money."""
    invoice_tolerance: Decimal = Decimal("0.005")
    """Relative to the control total."""


@dataclass(frozen=True)
class AuditContext:
    """What candidates are held against beside themselves; what is not given is not judged."""

    as_of: date | None = None
    max_age_days: int = 3
    partitions: tuple[date, ...] = ()
    """Partitions that must have rows."""
    previous_rows: Mapping[date, int] = field(default_factory=dict)
    """Rows of the version in force, by partition."""
    related: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    """Candidate files of other marts, by name: totals must agree across them."""


@dataclass(frozen=True)
class Outcome:
    """One expectation, judged."""

    name: str
    """TABLE.CHECK, stable: scripts match on it."""
    expectation: str
    """Great Expectations' name of what was expected."""
    column: str
    success: bool
    severity: Severity
    observed: str
    unexpected_count: int
    """Rows of the frame judged (rows, grains, partitions or sums) that do not meet it."""
    examples: tuple[Mapping[str, str], ...]
    """Up to five unexpected rows: what identifies them, and the value."""
    hint: str


@dataclass(frozen=True)
class AuditResult:
    """The audit of one table: `success` means that something was judged, and no error failed."""

    table: str
    rows: int
    success: bool
    outcomes: tuple[Outcome, ...]
    abstained: tuple[Abstained, ...]
    """What could not be judged, and why."""
    results: tuple[Mapping[str, Any], ...]
    """Great Expectations' own suite results, one per frame judged."""

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """What failed with severity error."""
        return tuple(o for o in self.outcomes if not o.success and o.severity == "error")

    @property
    def warnings(self) -> tuple[Outcome, ...]:
        """What failed with severity warn."""
        return tuple(o for o in self.outcomes if not o.success and o.severity == "warn")

    def json(self) -> str:
        """Great Expectations' results as JSON text, for keeping."""
        return json.dumps(list(self.results), sort_keys=True, default=str)

    def write_html(self, path: Path) -> Path:
        """Write a static page without scripts or outside links; returns `path`."""
        from finops_dagster.quality.page import render

        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render(self), encoding="utf-8")
        return path
