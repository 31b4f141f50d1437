"""Cards of a day, from what it has kept: figures, changes since the last decided day, pages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from finops_dagster.cli.ai import card as command
from finops_dagster.cli.main import app
from finops_dagster.defs.insight.models.cards import (
    changed,
    kept_cards,
    last_cards,
    write_day,
)
from finops_dagster.domain.decisions import FindingKind, GateResult
from finops_dagster.storage.days import DayStore
from tests.unit.report.conftest import finding

DAY, BEFORE = date(2026, 10, 22), date(2026, 10, 20)


@dataclass
class Estate:
    """As much of an estate as cards ask for."""

    root: Path
    settings: Any = field(default_factory=lambda: SimpleNamespace(models=[]))
    ledger: Any = field(default_factory=lambda: SimpleNamespace(entries=lambda _: iter(())))

    def day(self, as_of: date) -> DayStore:
        return DayStore(self.root / as_of.isoformat())

    def decided(self, as_of: date) -> DayStore | None:
        day = self.day(as_of)
        return day if day.root.exists() else None

    def report_folder(self, as_of: date) -> Path:
        return self.root / "reports" / as_of.isoformat()


def kept(day: DayStore, mase: float, findings: int) -> None:
    """What a run of a day leaves, as far as cards read it."""
    day.write_document("publication", {"publication_id": "pub-1"})
    day.write_frame("forecasts", pd.DataFrame({"unique_id": ["team|USD|search"], "mean": [1.0]}))
    record = {
        "training_start": "2026-01-01T00:00:00", "training_end": "2026-10-20T00:00:00",
        "training_rows": 1200, "data_hash": "d4ta", "features": ["mean_7", "weekday"],
        "parameters": [{"rounds": 150, "eta": 0.07}], "seconds": 12.0,
    }  # fmt: skip
    day.write_document("forecast_record", record)
    scores = {"n": 84, "mase": mase, "smape": 9.0, "coverage_80": 0.8, "coverage_95": 0.95}
    rows = [
        {"unique_id": name, "model": model, **scores}
        for name in ("(pooled)", "team|USD|search")
        for model in ("ours", "seasonal_naive")
    ]
    day.write_frame("forecast_backtest", pd.DataFrame(rows))
    rungs = pd.DataFrame({"unique_id": ["team|USD|search"], "rung": ["pooled"]})
    day.write_frame("forecast_rungs", rungs)
    day.write_items(
        "findings",
        [finding(n, FindingKind.RIGHTSIZE_CPU, "payments", "1", "2", "3") for n in range(findings)],
    )
    day.write_items("gates", [GateResult(gate="cost forecaster", result="pass", reasons=())])
    used = {"subject": "cost forecaster", "kwh": 0.0123, "kg_co2e": 0.004, "seconds": 9.5,
            "method": "measured"}  # fmt: skip
    day.write_document("training_energy", [used])


@pytest.fixture
def estate(tmp_path: Path) -> Estate:
    made = Estate(tmp_path)
    kept(made.day(DAY), mase=0.8, findings=3)
    return made


def test_a_day_tells_what_it_kept(estate: Estate) -> None:
    """A card is of its day alone: what is not there is said, not taken from another."""
    cards, changes, index = write_day(estate, DAY)  # type: ignore[arg-type]
    by_name = {one.name: one for one in cards}
    assert changes == {}
    forecaster = by_name["cost-forecaster"]
    assert (forecaster.data.first, forecaster.data.rows) == (date(2026, 1, 1), 1200)
    assert forecaster.data.hash == "d4ta"
    assert forecaster.features == ("mean_7", "weekday")
    assert forecaster.parameters["model.1.eta"] == 0.07
    assert forecaster.metrics[1].segment == "team=search"
    assert forecaster.baselines["seasonal_naive"]["smape"] == 9.0
    assert forecaster.training.energy_kwh == 0.0123
    assert forecaster.gate is not None and forecaster.gate.result == "pass"
    assert by_name["budget-forecaster"].not_measured == ("Nothing was forecast on this day.",)
    assert by_name["telemetry-anomalies"].data_missing.startswith("Nothing was measured")
    sizing = by_name["workload-sizing"]
    assert sizing.metrics[0].values["findings"] == 3
    assert [one.segment for one in sizing.metrics] == [
        "all", "team=payments", "environment=dev", "environment=prod",
    ]  # fmt: skip
    # its window ends at midnight: the day that begins then is not in it
    assert (sizing.data.first, sizing.data.last) == (date(2026, 10, 18), date(2026, 10, 31))
    assert by_name["storage"].metrics[0].values == {"findings": 0.0}
    assert kept_cards(estate.day(DAY)) == cards
    assert len(list(index.parent.glob("*.html"))) == len(cards) + 1


def test_cards_are_held_against_the_last_decided_day(estate: Estate) -> None:
    """Days without a decision lie between, and days after are not known."""
    kept(estate.day(BEFORE), mase=0.7, findings=3)
    kept(estate.day(date(2026, 10, 23)), mase=0.1, findings=0)
    earlier, _, _ = write_day(estate, BEFORE)  # type: ignore[arg-type]
    write_day(estate, date(2026, 10, 23))  # type: ignore[arg-type]
    cards, changes, _ = write_day(estate, DAY)  # type: ignore[arg-type]
    assert last_cards(estate, DAY) == earlier  # type: ignore[arg-type]
    assert changes["cost-forecaster"].before == BEFORE
    told = {one.what: one.verdict for one in changes["cost-forecaster"].changes}
    assert told == {"all: mase": "worse", "team=search: mase": "worse"}
    assert changes["workload-sizing"].changes == ()
    assert changed(cards, []) == {}


def test_the_command_tells_a_card_and_what_changed(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What people read and what scripts read is the same card."""
    import json

    from typer.testing import CliRunner

    kept(estate.day(BEFORE), mase=0.7, findings=3)
    write_day(estate, BEFORE)  # type: ignore[arg-type]
    cards, _, _ = write_day(estate, DAY)  # type: ignore[arg-type]
    monkeypatch.setattr(command, "settings_for", lambda _: None)
    monkeypatch.setattr(command, "Estate", lambda _: estate)

    def run(*words: str) -> Iterator[Any]:
        given = ["ai", "card", *words, "--as-of", DAY.isoformat()]
        result = CliRunner().invoke(app, given, env={"COLUMNS": "200"})
        yield result.exit_code
        yield result.output

    code, text = run()
    assert code == 0 and "cost-forecaster" in text
    code, text = run("cost-forecaster", "--json")
    (item,) = json.loads(text)["items"]
    assert code == 0 and item["hash"] == cards[0].hash
    assert item["page"] == "cards/cost-forecaster.html"
    assert {one["verdict"] for one in item["diff"]["changes"]} == {"worse"}
    code, text = run("cost-forecaster")
    assert code == 0 and "0.0123 kWh" in text and "worse" in text
    code, text = run("--diff")
    assert code == 0 and "all: mase" in text
    code, _ = run("no-such-engine")
    assert code != 0
