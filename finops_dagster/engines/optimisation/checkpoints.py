"""Which training workloads keep checkpoints, and how much work one that is interrupted loses.

What is shown or declared alone: a name or an image says nothing of it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from finops_dagster.domain.decisions import DeclaredResource

TRAINING_KINDS = frozenset(
    {
        "Job", "CronJob", "PyTorchJob", "TFJob", "MPIJob", "XGBoostJob", "PaddleJob", "JAXJob",
        "TrainJob", "RayJob",
    }
)  # fmt: skip
"""Kinds that run to an end: Kubernetes, Kubeflow's training operator and trainer, KubeRay. What
serves is never one of them."""
RUN_COLUMNS = (
    "resource", "save_strategy", "save_steps", "num_train_epochs", "train_steps_per_second",
    "train_runtime",
)  # fmt: skip
"""Of runs: parameters and metrics that the Trainer of Hugging Face's transformers logs
(https://huggingface.co/docs/transformers/main_classes/trainer)."""
_KEY = re.compile(r"(?:^|[/._-])checkpoint[-_]?interval\Z", re.IGNORECASE)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)\Z")
_HOURS = {"s": 1 / 3600, "m": 1 / 60, "h": 1.0, "d": 24.0}


@dataclass(frozen=True)
class Checkpoints:
    """`hours` between two of them, None where it is not known; `told_by` says where it is from."""

    hours: float | None
    told_by: str


def checkpoints(
    resources: Mapping[str, DeclaredResource], runs: pd.DataFrame
) -> dict[str, Checkpoints]:
    """Training workload -> its checkpoints, of those that declare or show them.

    A label or annotation whose key ends in `checkpoint-interval` (30m, 1h) counts, of the workload
    or its pods; else its runs (RUN_COLUMNS), of several the longest interval.
    """
    found: dict[str, Checkpoints] = {}
    shown = runs.reindex(columns=list(RUN_COLUMNS)).astype(object)
    for row in shown.mask(shown.isna(), other=None).itertuples(index=False, name=None):
        one = _of_run(*row[1:])
        if one is None:
            continue
        before = found.get(str(row[0]))
        if before is None or (before.hours or 0.0) < (one.hours or 0.0):
            found[str(row[0])] = one
    for name, item in resources.items():
        if name.partition("/")[0] not in TRAINING_KINDS:
            continue
        told = _interval({**item.labels, **item.annotations}) or _in(json.loads(item.manifest))
        if told is not None:
            found[name] = Checkpoints(told, "its checkpoint-interval")
    return {name: one for name, one in found.items() if name.partition("/")[0] in TRAINING_KINDS}


def _of_run(
    strategy: object, steps: object, epochs: object, per_second: object, seconds: object
) -> Checkpoints | None:
    kept = str(strategy).rpartition(".")[2].lower()
    every, speed = _number(steps), _number(per_second)
    length, rounds = _number(seconds), _number(epochs)
    if kept == "steps":
        # under 1 it is a share of the run
        if every and every < 1:
            hours = every * length / 3600 if length else None
        else:
            hours = every / speed / 3600 if every and speed else None
        return Checkpoints(hours, "save_steps of its runs")
    if kept == "epoch":
        return Checkpoints(length / rounds / 3600 if length and rounds else None, "its runs")
    return None


def _number(value: object) -> float | None:
    try:
        number = float(str(value))
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def _interval(words: Mapping[str, Any]) -> float | None:
    for key, value in words.items():
        match = _DURATION.match(str(value).strip()) if _KEY.search(str(key)) else None
        if match and float(match[1]) > 0:
            return float(match[1]) * _HOURS[match[2]]
    return None


def _in(node: Any) -> float | None:
    """The first interval among labels and annotations at any depth."""
    if isinstance(node, dict):
        for key in ("labels", "annotations"):
            told = _interval(node[key]) if isinstance(node.get(key), dict) else None
            if told is not None:
                return told
    parts = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return next((told for part in parts if (told := _in(part)) is not None), None)
