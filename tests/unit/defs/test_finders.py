"""What looks at the rest comes after what takes something away."""

from __future__ import annotations

from typing import Any

import pytest

from finops_dagster.defs.insight.waste import finders
from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.optimisation import FindResult
from tests.unit.engines.committing import TODAY, other


def test_what_is_left_is_looked_at_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """A commitment that knows of no stop is bought for what stops."""
    stop, more = other("10", "Deployment/a/b"), other("20", "Deployment/a/c")
    seen: list[list[Any]] = []

    def last(_: Any, __: Any, ___: Any, before: list[Any]) -> FindResult:
        seen.append(list(before))
        return FindResult([more], [Abstained(subject="s", reason="r")])

    monkeypatch.setattr(finders, "FINDERS", (lambda *_: FindResult([stop], []),))
    monkeypatch.setattr(finders, "AFTERWARDS", (last,))
    nothing: Any = None
    found = finders.find_waste(nothing, nothing, TODAY)
    assert seen == [[stop]]
    assert found.findings == [more, stop]
    assert [one.subject for one in found.abstained] == ["s"]
