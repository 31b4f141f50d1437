"""Prediction logs from file to judgement: real ones by a declared schema, and private ones."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from finops_dagster.responsible_ai import MetricSchema, metrics
from tests.e2e.estate import ROOT
from tests.e2e.prediction_logs import Watched, bytes_with, models

SHARED = ROOT.parent / "shared" / "data" / "model_monitoring"
EMPLOYMENT = SHARED / "employment_MA"
DAYS = {2015: date(2015, 1, 1), 2016: date(2016, 1, 1)}
CATEGORIES = "SCHL MAR RELP DIS ESP CIT MIG MIL ANC NATIVITY DEAR DEYE DREM".split()
EMPLOYMENT_SCHEMA = """\
model: employment
version: "2015"
task: classification
id: id
time: {column: year, format: "%Y", timezone: UTC}
features:
  - {name: AGEP, type: number}
CATEGORIES
prediction: prediction
probability: predicted_probability
label: {column: employed, after_days: 30}
groups:
  - {name: SEX, values: {1: male, 2: female}}
  - name: RAC1P
    values: {1: white, 2: black, 3: american indian, 4: alaska native, 5: native tribes,
             6: asian, 7: pacific islander, 8: other, 9: two or more}
"""
INDEX = {
    2015: {"accuracy": 0.8272, "roc_auc": 0.9034, "parity": 0.0017, "tpr": 0.0116, "ratio": 0.836},
    2016: {"accuracy": 0.8253, "roc_auc": 0.9020, "parity": 0.0025, "tpr": 0.0126, "ratio": 0.871},
}
"""As the data's own index has them."""


@pytest.fixture(scope="module")
def employment(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """Answers of two years, published; labels are to come."""
    if not EMPLOYMENT.exists():
        pytest.skip("the employment data are not on this machine")
    folder = tmp_path_factory.mktemp("employment")
    (folder / "labels").mkdir()
    (folder / "answers").mkdir()
    for path in EMPLOYMENT.glob("*.pq"):
        shutil.copy(path, folder / "answers" / path.name)
    categories = "\n".join(f"  - {{name: {name}, type: category}}" for name in CATEGORIES)
    text = EMPLOYMENT_SCHEMA.replace("CATEGORIES", categories)
    (folder / "employment.yaml").write_text(text, encoding="utf-8")
    options = "options: {schema: employment.yaml}"
    return Watched(
        folder,
        "start: 2014-01-01\nas_of: 2016-01-31\n"
        f"predictions:\n  - {{name: log, path: answers, format: prediction_log, {options}}}\n"
        f"labels:\n  - {{name: truth, path: labels, format: label_log, {options}}}\n"
        + models(
            {
                "name": "employment",
                "task": "classification",
                "owner": "statistics",
                "features": f"[AGEP, {', '.join(CATEGORIES)}]",
                "protected": "[SEX, RAC1P]",
            }
        ),
    )


def joined(watched: Watched) -> pd.DataFrame:
    """Answers with the labels known last, one column per group."""
    answers = watched.mart("fct_model_predictions")
    truth = watched.mart("fct_model_labels")[["prediction_id", "label"]]
    groups = pd.DataFrame([dict(one) for one in answers["groups"]], index=answers.index)
    return answers.join(groups).merge(truth, on="prediction_id", how="left")


def test_real_answers_with_labels_a_month_late(employment: Watched) -> None:
    """Harm: late truth rewrites what was known of the answers, or is joined to the wrong ones."""
    first, last = DAYS[2015], date(2016, 1, 31)
    landed = employment.publish(first, last)
    assert [(one.rows_landed, one.rows_quarantined) for one in landed] == [(68785, 0), (69126, 0)]
    before = employment.versions()
    assert {mart for (mart, _), (_, rows) in before.items() if rows} >= {
        "fct_model_predictions",
        "fct_model_metrics_daily",
    }
    for path in EMPLOYMENT.glob("*.pq"):
        shutil.copy(path, employment.folder / "labels" / path.name)
    late = employment.publish(first, last)
    assert [str(one.delivery.partition) for one in late if one.delivery.table == "labels"] == [
        "2015-01-31",
        "2016-01-31",
    ]
    after = employment.versions()
    changed = {key for key in after if after[key][1] and after[key] != before.get(key)}
    assert changed == {
        ("fct_model_labels", date(2015, 1, 31)),
        ("fct_model_labels", date(2016, 1, 31)),
    }
    assert all(after[key] == version for key, version in before.items() if version[1])

    rows = joined(employment)
    schema = MetricSchema(
        task="classification",
        prediction="prediction",
        label="label",
        probability="probability",
        protected=("SEX", "RAC1P"),
        features=("prediction",),
    )
    years = {year: rows[pd.to_datetime(rows["day"]).dt.date == day] for year, day in DAYS.items()}
    figures, _ = metrics(years[2015], years[2016], schema)
    told = {(one.metric, one.segment): one.value for one in figures}
    for year, prefix in ((2015, "reference/"), (2016, "")):
        found = {
            "accuracy": told["accuracy", f"{prefix}all"],
            "roc_auc": told["roc_auc", f"{prefix}all"],
            "parity": told["demographic_parity_difference", f"{prefix}SEX"],
            "tpr": told["true_positive_rate_difference", f"{prefix}SEX"],
            "ratio": told["selection_ratio", f"{prefix}RAC1P=black"],
        }
        digits = {"ratio": 3}
        assert {k: round(v, digits.get(k, 4)) for k, v in found.items()} == INDEX[year]
    assert rows["prediction_id"].str.fullmatch("h-[0-9a-f]{32}").all()
