"""Prediction logs of three AI models, and the labels that arrive a week later.

What the models are, and what is wrong with them, is told in models.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from finops_dagster.demo.delivery import chosen, signal_known_at, times, write
from finops_dagster.demo.models import (
    DRIFTED,
    MODELS,
    Monitored,
    Serving,
    is_biased,
    is_shifted,
    version_on,
)
from finops_dagster.demo.noise import Floats, Ints, normal, stream, uniform
from finops_dagster.demo.seasons import DAY_MINUTES, day_number

KEPT_DAYS = 150
"""Days of prediction logs before the end of a new estate."""
LABEL_DELAY_DAYS = 7


@dataclass(frozen=True)
class Log:
    """One model's answers on one day, and the truths behind them."""

    ids: list[str]
    minutes: Ints
    features: Floats
    """One row a prediction, one column a feature."""
    groups: tuple[Ints, ...]
    version: str
    prediction: Floats
    probability: Floats | None
    label: Floats
    latency_ms: Floats
    energy_wh: Floats


def log_of(seed: int, model: Monitored, day: date, serving: Serving) -> Log:
    """What `model` answered on `day`."""
    number = day_number(day)
    key = stream(seed, f"model/{model.name}")
    low = 0.85 if day.weekday() >= 5 else 1.0
    count = int(model.per_day * low * (0.95 + 0.1 * uniform(key, np.array([number]))[0]))
    index = number * 1000 + np.arange(count, dtype=np.int64)
    shifted = is_shifted(model, day, serving)
    scores = np.empty((count, len(model.features)))
    values = np.empty_like(scores)
    for position, feature in enumerate(model.features):
        score = normal(key + 10 + position, index)
        if shifted and feature.name in DRIFTED:
            # A new help desk logs every chat as a call, and a campaign brought new customers.
            score = score + (1.1 if feature.name == "support_calls" else -0.8)
        raw = feature.centre + feature.spread * score
        values[:, position] = np.exp(raw) if feature.log else np.maximum(raw, 0.0)
        scores[:, position] = score
    groups = tuple(
        np.searchsorted(
            np.cumsum([share for _, share in choices])[:-1],
            uniform(key + 40 + position, index),
            side="right",
        ).astype(np.int64)
        for position, (_, choices) in enumerate(model.groups)
    )
    weights = np.array([feature.weight for feature in model.features])
    signal = scores @ weights
    truth_noise = normal(key + 60, index)
    latency = model.latency_ms * np.exp(0.3 * normal(key + 61, index))
    energy = model.energy_wh * np.exp(0.1 * normal(key + 62, index))
    if model.task == "regression":
        level = model.bias * np.exp(0.35 * signal)
        label = np.maximum(level * np.exp(0.12 * truth_noise), 0.0)
        prediction = level * np.exp(0.03 * normal(key + 63, index))
        probability = None
    else:
        odds = model.bias + signal
        label = (uniform(key + 64, index) < 1.0 / (1.0 + np.exp(-odds))).astype(np.float64)
        seen = odds + 0.25 * truth_noise
        if is_biased(model, day, serving):
            seen = seen - 1.1 * (groups[0] == 0)
        probability = np.round(1.0 / (1.0 + np.exp(-seen)), 6)
        prediction = (probability >= 0.5).astype(np.float64)
    return Log(
        ids=[f"{model.name}-{number}-{position:04d}" for position in range(count)],
        minutes=number * DAY_MINUTES
        + np.sort((uniform(key + 65, index) * DAY_MINUTES).astype(np.int64)),
        features=np.round(values, 5),
        groups=groups,
        version=version_on(model, day, serving),
        prediction=np.round(prediction, 4),
        probability=probability,
        label=np.round(label, 4),
        latency_ms=np.round(latency, 2),
        energy_wh=np.round(energy, 5),
    )


def _feature_map(model: Monitored, log: Log) -> pa.MapArray:
    width, count = len(model.features), len(log.ids)
    return pa.MapArray.from_arrays(
        pa.array(np.arange(0, width * count + 1, width, dtype=np.int32)),
        pa.array([feature.name for feature in model.features] * count, pa.string()),
        pa.array(log.features.ravel()),
    )


def _group_map(model: Monitored, log: Log) -> pa.MapArray:
    width, count = len(model.groups), len(log.ids)
    texts: list[str] = []
    for row in range(count):
        texts += [
            choices[int(log.groups[position][row])][0]
            for position, (_, choices) in enumerate(model.groups)
        ]
    return pa.MapArray.from_arrays(
        pa.array(np.arange(0, width * count + 1, max(width, 1), dtype=np.int32))
        if width
        else pa.array(np.zeros(count + 1, dtype=np.int32)),
        pa.array([name for name, _ in model.groups] * count, pa.string()),
        pa.array(texts, pa.string()),
    )


def _prediction_table(model: Monitored, log: Log) -> pa.Table:
    count = len(log.ids)
    zero = np.zeros(count, dtype=np.int64)
    probability = (
        pa.nulls(count, pa.float64()) if log.probability is None else pa.array(log.probability)
    )
    return pa.table(
        {
            "time": times(log.minutes),
            "model": chosen([model.name], zero),
            "model_version": chosen([log.version], zero),
            "prediction_id": pa.array(log.ids),
            "features": _feature_map(model, log),
            "groups": _group_map(model, log),
            "prediction": pa.array(log.prediction),
            "probability": probability,
            "latency_ms": pa.array(log.latency_ms),
            "energy_wh": pa.array(log.energy_wh),
        }
    )


def _label_table(model: Monitored, log: Log, arrival: date) -> pa.Table:
    count = len(log.ids)
    at = day_number(arrival) * DAY_MINUTES + 150
    return pa.table(
        {
            "time": times(np.full(count, at, dtype=np.int64)),
            "model": chosen([model.name], np.zeros(count, dtype=np.int64)),
            "prediction_id": pa.array(log.ids),
            "label": pa.array(log.label),
        }
    )


def write_predictions(
    out: Path, seed: int, first: date, last: date, oldest: date, serving: Serving
) -> int:
    """Write predictions and arriving labels of each day; returns the predictions written.

    `oldest` is the first day the estate has predictions of: labels of older ones never come.
    """
    rows = 0
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        logs = [(model, log_of(seed, model, day, serving)) for model in MODELS]
        table = pa.concat_tables(
            [_prediction_table(model, log) for model, log in logs]
        ).unify_dictionaries()
        write(out / "predictions" / f"day={day.isoformat()}", table, signal_known_at(day))
        rows += table.num_rows
        answered = day - timedelta(days=LABEL_DELAY_DAYS)
        if answered < oldest:
            continue
        labels = pa.concat_tables(
            [_label_table(model, log_of(seed, model, answered, serving), day) for model in MODELS]
        ).unify_dictionaries()
        write(out / "labels" / f"day={day.isoformat()}", labels, signal_known_at(day))
    return rows
