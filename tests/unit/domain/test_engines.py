"""What an engine says of itself: constants out of modules and thresholds, names fit for files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import ModuleType

import pytest

from finops_dagster.domain.engines import EngineDescription, EngineKind, constants, fields_of

TEXT = """
from datetime import timedelta
from decimal import Decimal
from math import pi as PI
SHARE: float = 0.25
_DAYS = 14
LEAST, MOST = 1, 2.5
REST = timedelta(days=2)
STEP = Decimal("0.0001")
LEVELS = (0.5, 0.75)
BY = {"a": 1, "b": {"c": 2}}
NAME = "words are no parameter"
NAMES = ("nor", "these")
lower = 3
"""


def module(folder: Path) -> ModuleType:
    from importlib.util import module_from_spec, spec_from_file_location

    path = folder / "thresholds.py"
    path.write_text(TEXT)
    spec = spec_from_file_location("finops_dagster.engines.made.thresholds", path)
    assert spec is not None and spec.loader is not None
    made = module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_constants_are_those_that_a_module_sets(tmp_path: Path) -> None:
    """What it imports is another module's to tell."""
    assert constants(module(tmp_path)) == {
        "thresholds.SHARE": 0.25,
        "thresholds._DAYS": 14,
        "thresholds.LEAST": 1,
        "thresholds.MOST": 2.5,
        "thresholds.REST_hours": 48.0,
        "thresholds.STEP": "0.0001",
        "thresholds.LEVELS": "0.5, 0.75",
        "thresholds.BY.a": 1,
        "thresholds.BY.b.c": 2,
    }


def test_a_function_by_the_name_of_a_module_is_refused() -> None:
    """Its constants would be missing, and nobody would see it."""
    with pytest.raises(TypeError, match="no module"):
        constants(fields_of)  # type: ignore[arg-type]


class Tier(StrEnum):
    LOW = "low"


@dataclass(frozen=True)
class Inner:
    share: float = 0.5


@dataclass(frozen=True)
class Config:
    days: int = 7
    tier: Tier = Tier.LOW
    inner: Inner = Inner()
    dials: Mapping[Tier, float] = field(default_factory=lambda: {Tier.LOW: 2.0})
    rest: timedelta = timedelta(hours=3)
    money: Decimal = Decimal("1.50")
    nothing: None = None


def test_thresholds_are_told_with_what_is_inside_them() -> None:
    """A threshold that is left out is one that nobody can question."""
    assert fields_of(Config(), "x.") == {
        "x.days": 7,
        "x.tier": "low",
        "x.inner.share": 0.5,
        "x.dials.low": 2.0,
        "x.rest_hours": 3.0,
        "x.money": "1.50",
    }


@pytest.mark.parametrize("name", ["", "A", "../x", "a b", "a--b", "-a", "<b>"])
def test_a_name_that_is_no_file_is_refused(name: str) -> None:
    """It names a page."""
    with pytest.raises(ValueError, match="lower case"):
        EngineDescription(name, "t", EngineKind.RULE, "1", "p", "m", (), {}, (), ())
