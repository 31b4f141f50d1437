"""What judging a delivery against a rule model gives: a verdict per rule, and the counts of all.

How verdicts come about is in `judging`; how they are shown in `page`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

Result = Literal["pass", "fail", "skipped", "allowed"]
_BINDING = ("MUST", "MUST NOT", "SHALL", "SHALL NOT", "REQUIRED")


@dataclass(frozen=True)
class Example:
    """One row that breaks a rule; `values` are cut, and hostile: escape where shown."""

    file: str
    row: int
    values: Mapping[str, str | None]


@dataclass(frozen=True)
class Verdict:
    """One rule, judged."""

    rule: str
    column: str
    """Column or attribute that the rule is about."""
    function: str
    keyword: str
    verdict: Result
    rows: int | None
    """Rows that break it; None where it is not about rows, or was not judged."""
    judged: int | None
    """Rows that it says something of."""
    examples: tuple[Example, ...]
    text: str
    reason: str
    """Why it was skipped or allowed, or what fails in place of rows."""
    note: str
    """What was mended of the model to judge it."""
    hint: str

    @property
    def binding(self) -> bool:
        """Whether breaking it breaks conformance: a MUST."""
        return self.keyword in _BINDING

    def item(self) -> dict[str, Any]:
        """As JSON has it."""
        return {
            "rule": self.rule,
            "column": self.column,
            "keyword": self.keyword,
            "verdict": self.verdict,
            "rows": self.rows,
            "judged": self.judged,
            "examples": [
                {"file": one.file, "row": one.row, "values": dict(one.values)}
                for one in self.examples
            ],
            "text": self.text,
            "reason": self.reason,
            "note": self.note,
            "hint": self.hint,
        }


@dataclass(frozen=True)
class Supported:
    """Whether the provider supports what a criterion says; None where nothing tells."""

    criterion: str
    description: str
    supported: bool | None
    how: str


@dataclass(frozen=True)
class Report:
    """One delivery against one model."""

    subject: str
    model: str
    """FOCUS version of the model."""
    dataset: str
    files: tuple[str, ...]
    rows: int
    verdicts: tuple[Verdict, ...]
    supported: tuple[Supported, ...]

    @property
    def counts(self) -> dict[str, int]:
        """Verdicts by kind; failures of what is no MUST as `advice`."""
        found = Counter(
            "advice" if one.verdict == "fail" and not one.binding else one.verdict
            for one in self.verdicts
        )
        return {name: found[name] for name in ("pass", "fail", "advice", "allowed", "skipped")}

    @property
    def conforms(self) -> bool:
        """No MUST fails, but such as are allowed."""
        return not any(one.verdict == "fail" and one.binding for one in self.verdicts)

    def html(self) -> str:
        """The report as a page for people: no scripts, no outside links."""
        from finops_dagster.quality.conformance.page import render

        return render(self)

    def of(self, result: Result) -> list[Verdict]:
        """Verdicts of one kind, binding rules first, then by column."""
        held = [one for one in self.verdicts if one.verdict == result]
        return sorted(held, key=lambda one: (not one.binding, one.column, one.rule))
