"""Explanations and model cards: they add up, they read well, and nothing in them runs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai import (
    Explanation,
    ModelRecord,
    explain,
    write_card,
    write_explanations,
)

HOSTILE = "<script>alert(1)</script>"
PARTS = {"mean_7_days": 90.0, "weekday": -44.5, "trend": 3.25, "a": 1.0, "b": 0.5, "c": -0.25,
         "d": 0.125}  # fmt: skip


def made(**changes: object) -> Explanation:
    found = explain(
        "team-a", 1100.0, PARTS, 1100.0 + sum(PARTS.values()), unit="USD per day", **changes
    )  # type: ignore[arg-type]
    assert isinstance(found, Explanation)
    return found


def test_bars_and_words_add_up_to_the_prediction() -> None:
    """An explanation that does not add up explains something else."""
    found = made()
    assert found.base + sum(part.amount for part in found.shown) == pytest.approx(found.prediction)
    numbers = [float(n.replace(",", "")) for n in re.findall(r"\(?([+-][\d,]+\.\d\d)", found.words)]
    assert sum(numbers) == pytest.approx(found.prediction - found.base, abs=0.02)
    assert found.words.startswith("1,150.12 USD per day is expected, starting from 1,100.00")
    assert "Mean 7 days (+90.00)" in found.words
    assert "weekday (-44.50)" in found.words.lower()


def test_contributions_that_do_not_add_up_are_refused() -> None:
    """Better no reason than a false one."""
    refused = explain("x", 1.0, {"a": 1.0}, 3.0, unit="USD")
    assert isinstance(refused, Abstained)
    assert isinstance(explain("x", 1.0, {"a": float("nan")}, 3.0, unit="USD"), Abstained)


def test_the_page_of_explanations(tmp_path: Path) -> None:
    """A page that needs a network, or runs a tag's text, cannot be handed round."""
    hostile = explain(HOSTILE, 0.0, {HOSTILE: 2.0}, 2.0, unit=HOSTILE)
    refused = Abstained(subject=HOSTILE, reason="because")
    zero = explain("z", 5.0, {"a": 0.0}, 5.0, unit="USD")
    page = write_explanations(tmp_path / "x" / "why.html", "Why", [made(), hostile, refused, zero])
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert "http" not in text
    assert text.count("<rect") == 6 + 1 + 1
    assert "because" in text
    widths = [float(w) for w in re.findall(r'width="([\d.]+)" height="10"', text)]
    assert max(widths) == 100.0


def test_the_card_tells_all_and_escapes(tmp_path: Path) -> None:
    """A card that leaves out the limits sells a model."""
    record = ModelRecord(
        name="cost-forecast",
        version="1",
        purpose="Daily cost per team.",
        data_window="2025-10-01 to 2026-10-22",
        data_rows=12345,
        data_hash="abc",
        features=("lag_7", HOSTILE),
        parameters={"trees": 250},
        metrics={"mase": 0.87, "coverage_80": 0.81},
        baselines={"seasonal naive": {"mase": 1.2}},
        limits=("Not for new teams.",),
    )
    judged = GateResult(gate="forecast", result="warn", reasons=(HOSTILE,))
    page, data = write_card(tmp_path, record, judged)
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    for part in ("12,345", "Not for new teams.", "seasonal naive", "0.87", "1.2", "warn",
                 "not measured"):  # fmt: skip
        assert part in text
    again = json.loads(data.read_text(encoding="utf-8"))
    assert again["metrics"]["mase"] == 0.87
    assert again["gate"]["result"] == "warn"
