"""Model cards of our own models, as a page and as JSON, from the record its engine returns.

After M. Mitchell et al., Model Cards for Model Reporting, 2019. Nothing is measured here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from finops_dagster.domain.decisions import GateResult


@dataclass(frozen=True)
class ModelRecord:
    """What an engine tells of a model it trained, in plain values."""

    name: str
    version: str
    purpose: str
    """Intended use, in a sentence."""
    data_window: str
    data_rows: int
    data_hash: str
    features: tuple[str, ...]
    parameters: Mapping[str, str | float | int | bool]
    metrics: Mapping[str, float]
    """Of the backtest; names carry their unit."""
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """The same metrics of simpler models in the same backtest."""
    limits: tuple[str, ...] = ()
    """What it is not for, and what it was not tried on."""
    as_of: str = ""
    code_version: str = ""


def write_card(
    folder: Path, record: ModelRecord, gate: GateResult | None = None
) -> tuple[Path, Path]:
    """Write `model-card.html` and `model-card.json` into `folder`; returns both paths."""
    from finops_dagster.responsible_ai.html import write_page

    page = write_page(folder / "model-card.html", "card.html", card=record, gate=gate)
    plain = asdict(record) | {"gate": gate.model_dump(mode="json") if gate else None}
    data = folder / "model-card.json"
    data.write_text(json.dumps(plain, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return page, data
