"""All that it takes to forecast again with a trained model, as bytes that are named by their hash.

The same model gives the same bytes, so a name stands for one model. Where they are kept, and which
of them is in use, is decided elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.ids import canonical_json
from finops_dagster.engines.forecasting.check import Checked
from finops_dagster.engines.forecasting.pool import Terms, Trained
from finops_dagster.engines.forecasting.recipes import Member, Recipe, variant
from finops_dagster.engines.forecasting.result import ModelRecord

ENGINE = "forecasting/1"
FORMAT = "finops-forecaster/1"
_TIMED = {"seconds": 0.0, "stages": {}}
"""Of a record: what differs when the same is made again."""


@dataclass(frozen=True)
class Fitted:
    """What training and checking leave."""

    trained: list[Trained]
    checked: Checked


@dataclass(frozen=True)
class Kept:
    """What an artefact holds."""

    fitted: Fitted
    terms: Terms
    record: ModelRecord
    series: tuple[str, ...]
    """What the pooled model learnt from."""


def name_of(artefact: bytes) -> str:
    """The SHA-256 of its bytes, 64 hex digits."""
    return hashlib.sha256(artefact).hexdigest()


def dump(kept: Kept) -> bytes:
    """Canonical JSON: recipe, terms, record without its times, corrections, backtest and members.

    Floats are written as their shortest text that is read back to the bit (Python's repr).
    """
    checked, recipe = kept.fitted.checked, kept.terms.recipe
    document = {
        "format": FORMAT,
        "engine": ENGINE,
        "recipe": {**asdict(recipe), "step": recipe.step.total_seconds()},
        "record": {**asdict(kept.record), **_TIMED},
        "corrections": {str(level): one.tolist() for level, one in checked.corrections.items()},
        "windows": checked.windows,
        "series": kept.series,
        "backtest": _written(checked.backtest),
        "origins": _written(checked.origins),
        "members": [
            {
                "model": base64.b64encode(one.raw).decode("ascii"),
                "parameters": one.parameters,
                "rows": one.rows,
            }
            for one in kept.fitted.trained
        ],
    }
    return canonical_json(document).encode()


def load(artefact: bytes) -> Kept:
    """Raises ValueError for bytes that are no artefact of this engine."""
    try:
        document = json.loads(artefact)
        if document["format"] != FORMAT or document["engine"] != ENGINE:
            raise ValueError(f"made by {document['engine']}, and this is {ENGINE}")
        recipe = _recipe(document["recipe"])
        record = _record(document["record"])
        members = zip(recipe.members, document["members"], strict=True)
        trained = [
            replace(
                Trained.kept(member, base64.b64decode(one["model"])),
                parameters=one["parameters"],
                rows=one["rows"],
            )
            for member, one in members
        ]
        corrections = {
            int(level): np.array(one, dtype=float) for level, one in document["corrections"].items()
        }
        checked = Checked(
            corrections,
            _read(document["backtest"]),
            document["windows"],
            _read(document["origins"]),
        )
        series = tuple(document["series"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"this is no artefact of the forecaster: {error}") from error
    terms = Terms(
        record.frequency, record.horizon, record.levels, record.seed, record.scale_floor, 1, recipe
    )
    return Kept(Fitted(trained, checked), terms, record, series)


@dataclass(frozen=True)
class Opened:
    """What an artefact tells of itself."""

    record: ModelRecord
    series: tuple[str, ...]
    backtest: pd.DataFrame
    """As of ForecastResult."""


def opened(artefact: bytes) -> Opened:
    """Raises ValueError for bytes that are no artefact of this engine."""
    kept = load(artefact)
    return Opened(kept.record, kept.series, kept.fitted.checked.backtest)


def stale_code(artefact: bytes) -> str:
    """What of the code is no longer what it was trained with; empty where it is the same.

    It is served with its own recipe and members all the same. Raises ValueError as `opened`.
    """
    import xgboost

    kept = load(artefact)
    if kept.record.xgboost != xgboost.__version__:
        return f"It was trained with XGBoost {kept.record.xgboost}, now {xgboost.__version__}."
    if kept.terms.recipe != variant(kept.record.recipe, kept.record.frequency):
        return f"Its recipe {kept.record.recipe} is another one now."
    return ""


def _recipe(document: dict[str, Any]) -> Recipe:
    members = tuple(Member(**one) for one in document["members"])
    step = timedelta(seconds=document["step"])
    return Recipe(**{**document, "members": members, "step": step})


def _record(document: dict[str, Any]) -> ModelRecord:
    known = {one.name: document[one.name] for one in fields(ModelRecord) if one.name in document}
    lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
    return ModelRecord(**{**known, **lists})


def _written(frame: pd.DataFrame) -> list[tuple[str, list[Any]]]:
    """Columns in their order; times in ISO 8601, and what is not known as null."""
    return [(name, [_plain(value) for value in frame[name].tolist()]) for name in frame.columns]


def _plain(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value.isoformat() if isinstance(value, pd.Timestamp) else value


def _read(columns: list[tuple[str, list[Any]]]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    for name in frame.columns.drop(["unique_id", "model"], errors="ignore"):
        read = pd.to_datetime if name == "origin" else pd.to_numeric
        frame[name] = read(frame[name])
    return frame
