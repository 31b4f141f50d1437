"""Prediction logs with a known truth: one stable world, and the faults planted in it."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pandas as pd

AS_OF = date(2026, 5, 31)


def log(
    seed: int,
    *,
    days: int = 60,
    per_day: int = 120,
    shift: float = 0.0,
    bias: float = 0.0,
    label_delay: int = 0,
    decay: float = 0.0,
    day_effect: float = 0.0,
    task: str = "classification",
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predictions and labels of model `m` that end with AS_OF.

    shift moves input `a` by so many deviations in the last 7 days; bias takes so much from the
    logit of group g=b; decay is the share of last week's answers that are wrong at random;
    day_effect is a common move of all rows of a day, in deviations.
    """
    rng = np.random.default_rng(seed)
    predictions, labels = [], []
    for offset in range(days):
        day = AS_OF - timedelta(days=days - 1 - offset)
        late = offset >= days - 7
        common = day_effect * rng.normal()
        a = rng.normal(size=per_day) + common + (shift if late else 0.0)
        b = rng.exponential(size=per_day)
        group = rng.random(per_day) < 0.4
        if task == "classification":
            logit = a - bias * group
            probability = 1 / (1 + np.exp(-logit))
            prediction = (probability > 0.5).astype(float)
            label = (rng.random(per_day) < 1 / (1 + np.exp(-a))).astype(float)
            wrong = late and decay
            label = np.where(rng.random(per_day) < decay, 1 - prediction, label) if wrong else label
        else:
            prediction, probability = 10 + a, np.full(per_day, np.nan)
            label = prediction + rng.normal(size=per_day) * np.where(group, 1 + bias, 1)
        for row in range(per_day):
            key = f"{offset}-{row}"
            predictions.append(
                {
                    "day": day,
                    "model": "m",
                    "model_version": "1",
                    "prediction_id": key,
                    "features": [("a", a[row]), ("b", b[row])],
                    "groups": {"g": "b" if group[row] else "a"},
                    "prediction": prediction[row],
                    "probability": probability[row],
                }
            )
            if offset < days - label_delay:
                labels.append({"model": "m", "prediction_id": key, "label": label[row]})
    return pd.DataFrame(predictions), pd.DataFrame(
        labels, columns=["model", "prediction_id", "label"]
    )
