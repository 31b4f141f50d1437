"""Energy of our own training: told with its method, offline, and never in the way of a run."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from finops_dagster.defs.insight.training import TrainingMeter, keep
from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.energy.results import TrainingEnergy
from finops_dagster.storage.days import DayStore


def library(monkeypatch: pytest.MonkeyPatch, tracker: Any) -> None:
    module = ModuleType("codecarbon")
    module.OfflineEmissionsTracker = tracker  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "codecarbon", module)


def told(kwh: float, asked: dict[str, Any] | None = None) -> Any:
    """A tracker that found so much, and notes what it was asked for."""

    def make(**options: Any) -> Any:
        if asked is not None:
            asked.update(options)
        data = SimpleNamespace(
            energy_consumed=kwh, emissions=kwh * 0.475, country_name=None, codecarbon_version="3"
        )
        return SimpleNamespace(start=lambda: None, stop=lambda: None, final_emissions_data=data)

    return make


def test_what_was_used_is_kept_with_its_method(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}
    library(monkeypatch, told(0.002, asked))
    with TrainingMeter("cost forecaster", "FRA") as meter:
        pass
    assert isinstance(meter.result, TrainingEnergy)
    assert asked["country_iso_code"] == "FRA"
    assert not any(value for name, value in asked.items() if name.startswith("save_to"))
    assert meter.result.method.startswith("CodeCarbon 3, ")
    day = DayStore(tmp_path)
    assert keep(day, [meter.result]) == []
    (kept,) = day.document("training_energy")
    assert (kept["subject"], kept["kwh"]) == ("cost forecaster", 0.002)
    assert kept["kg_co2e"] == pytest.approx(0.00095)


def _broken(**_: Any) -> Any:
    raise OSError("no /proc here")


@pytest.mark.parametrize(
    ("tracker", "reason"),
    [
        (_broken, "OSError: no /proc here"),
        (told(0.0), "CodeCarbon found neither a processor nor memory"),
        (lambda **_: SimpleNamespace(start=lambda: None, stop=lambda: None),
         "AttributeError: 'types.SimpleNamespace' object has no attribute 'final_emissions_data'"),
    ],
)  # fmt: skip
def test_where_nothing_can_be_measured_the_run_goes_on_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tracker: Any, reason: str
) -> None:
    library(monkeypatch, tracker)
    done = []
    with TrainingMeter("m", "") as meter:
        done.append(1)
    expected = Abstained(subject="m", reason=f"energy of its training is not known: {reason}")
    assert (done, meter.result) == ([1], expected)
    assert keep(DayStore(tmp_path), [meter.result]) == [expected]


def test_a_fault_of_the_training_itself_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    library(monkeypatch, told(0.1))
    with pytest.raises(ZeroDivisionError), TrainingMeter("m", ""):
        _ = 1 / 0


def test_the_library_itself_sends_nothing_and_leaves_no_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Telemetry of a tool that we bring along is ours to answer for."""
    pytest.importorskip("codecarbon")
    called: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda _, address: called.append(address))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with TrainingMeter("m", "") as meter:
        sum(range(3_000_000))
    assert isinstance(meter.result, TrainingEnergy), meter.result
    assert meter.result.kwh > 0
    assert meter.result.kg_co2e == pytest.approx(0.475 * meter.result.kwh, rel=0.01)
    assert "grid: world" in meter.result.method
    assert (called, os.listdir(tmp_path)) == ([], [])
    assert capfd.readouterr().err == ""
