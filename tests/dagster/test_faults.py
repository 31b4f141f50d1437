"""What a run tells of an error that a step raises.

What the checks of a gate tell is asked end to end.
"""

from __future__ import annotations

from typing import Any

import pytest

from finops_dagster import runner
from finops_dagster.defs import rebuild
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.settings import Settings


def test_a_fault_keeps_its_place_and_its_hint(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step's error that is told without its file, row and hint cannot be mended by a person."""
    fault = Fault(
        code="rate_missing", file="rates.csv", row=3, expected="A rate.", hint="Add the rate."
    )

    def refuse(*_: Any) -> None:
        raise SettingsError("rates.csv cannot be used", (fault,)) from ValueError("no rate")

    monkeypatch.setattr(rebuild, "choose", refuse)
    outcome = runner.run(settings, jobs=["decide"], say=lambda _: None)
    assert outcome.exit_code == 2
    assert outcome.faults == [fault]
    assert "insight/publication failed. rates.csv cannot be used" in outcome.stopped
    assert "rates.csv, row 3: A rate. Add the rate." in outcome.stopped
