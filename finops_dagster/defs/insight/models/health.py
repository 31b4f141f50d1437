"""What is said of every AI model of a day, gathered while each is judged.

Judging is done in the modules beside this.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Abstained, GateResult
from finops_dagster.responsible_ai.energy.results import ModelEnergy

SEED = 0
"""Of every draw: the same day judged again says the same."""


@dataclass
class Health:
    """What was said of every model of a day."""

    gates: list[GateResult] = field(default_factory=list)
    abstained: list[Abstained] = field(default_factory=list)
    pages: dict[str, Path] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    energy: dict[str, ModelEnergy | Abstained] = field(default_factory=dict)
