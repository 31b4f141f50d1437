"""Prediction logs whose labels come late, with a known truth, and what moves in them."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

AS_OF = date(2026, 5, 31)
FEATURES = ("a",)


def late_log(
    seed: int,
    *,
    task: str = "classification",
    days: int = 63,
    per_day: int = 120,
    delay: int = 10,
    shift: float = 0.0,
    shifted_days: int = 7,
    concept: float = 0.0,
    concept_days: int = 7,
    versions: int = 1,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series[float]]:
    """Predictions, labels known by AS_OF (those of a day arrive `delay` days on), and all truths.

    Classifier: probability is what is true of input `a`, read by a model that is too sure of
    itself. shift: `a` comes nearer to the boundary in the last `shifted_days` (its spread is
    divided by 1 + shift). concept: share of answers of the last `concept_days` whose truth is
    turned round; of a regressor, by how many of its units the truth moves.
    """
    rng = np.random.default_rng(seed)
    frames = []
    for back in reversed(range(days)):
        moved = back < shifted_days
        a = rng.normal(size=per_day) * (2 / (1 + shift) if moved else 2)
        frame = pd.DataFrame({"a": a, "day": AS_OF - timedelta(days=back)})
        if task == "classification":
            chance = 1 / (1 + np.exp(-a))
            frame["probability"] = 1 / (1 + np.exp(-1.7 * a))
            frame["prediction"] = (a > 0).astype(float)
            label = (rng.random(per_day) < chance).astype(float)
            turned = rng.random(per_day) < (concept if back < concept_days else 0)
            frame["label"] = np.where(turned, 1 - label, label)
        else:
            # errs more the further `a` is from 0, and more when shift brings it there
            a = a * (1 + shift) ** 2 if moved else a
            frame["a"], frame["prediction"], frame["probability"] = a, 10 + a, np.nan
            frame["label"] = frame["prediction"] + rng.normal(size=per_day) * (1 + np.abs(a))
            frame["label"] += concept if back < concept_days else 0
        frame["model_version"] = str(versions if moved else 1)
        frames.append(frame)
    log = pd.concat(frames, ignore_index=True)
    log["prediction_id"] = [f"p{row}" for row in range(len(log))]
    log["model"] = "m"
    log["features"] = [[("a", value)] for value in log["a"]]
    log["groups"] = [{} for _ in range(len(log))]
    labels = log[["model", "prediction_id", "label"]].assign(
        day=[day + timedelta(days=delay) for day in log["day"]]
    )
    known = labels[[day <= AS_OF for day in labels["day"]]]
    return log.drop(columns=["a", "label"]), known, log["label"]
