"""Prediction logs from file to judgement: real ones by a declared schema, and private ones."""

from __future__ import annotations

import json
import shutil
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from finops_dagster.defs.metadata import landing_metadata
from finops_dagster.responsible_ai import MetricSchema, metrics
from tests.e2e.estate import ROOT
from tests.e2e.prediction_logs import Watched, bytes_with, models

SHARED = ROOT.parent / "shared" / "data" / "model_monitoring"
EMPLOYMENT = SHARED / "employment_MA"
DAYS = {2015: date(2015, 1, 1), 2016: date(2016, 1, 1)}
CATEGORIES = [
    "SCHL",
    "MAR",
    "RELP",
    "DIS",
    "ESP",
    "CIT",
    "MIG",
    "MIL",
    "ANC",
    "NATIVITY",
    "DEAR",
    "DEYE",
    "DREM",
]
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


@pytest.mark.conformance
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


CANARIES = (
    "Ada Lovelace",
    "ada@example.org",
    "078-05-1120",
    "she is ill and told nobody",
    "customer-4711",
)
"""A name, an address, a number, a sentence and ids that must be nowhere but in the source."""
FIRST, DAY_COUNT, PER_DAY = date(2026, 3, 1), 9, 60
LAST = FIRST + timedelta(days=DAY_COUNT - 1)
PRIVATE_SCHEMA = """\
model: triage
version: {column: release}
task: classification
id: patient
time: asked_at
features:
  - {name: age, type: number}
  - {name: ward, type: category, values: [north, south]}
  - {name: note, type: category}
prediction: said
probability: score
label: {column: outcome, time: outcome_at}
groups: [{name: sex, column: SEX, values: {1: male, 2: female}}]
tokens: {input: tokens_in, output: tokens_out}
"""


def private_log() -> list[str]:
    """Lines of a log: most of them sound, some broken, all of them about somebody."""
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number in range(DAY_COUNT * PER_DAY):
        score = float(rng.uniform())
        rows.append(
            {
                "patient": f"customer-4711-{number}",
                "asked_at": f"{FIRST + timedelta(days=number // PER_DAY)}T12:00:00Z",
                "release": "3.1",
                "age": float(rng.integers(20, 80)),
                "ward": ("north", "south")[number % 2],
                "note": CANARIES[number % 4],
                "said": int(score > 0.5),
                "score": score,
                "SEX": 1 + number // 2 % 2,
                "tokens_in": 7,
                "tokens_out": 11,
                "Ada Lovelace": "078-05-1120",
            }
        )
    broken: list[dict[str, Any]] = [
        {"age": "078-05-1120"},
        {"SEX": "ada@example.org"},
        {"SEX": None},
        {"ward": "she is ill and told nobody"},
        {"said": "Ada Lovelace"},
        {"release": "ada@example.org"},
        {"asked_at": "078-05-1120"},
        {"score": "Ada Lovelace"},
    ]
    sound = dict(rows[0])
    rows += [{**sound, "patient": f"customer-4711-x{n}", **one} for n, one in enumerate(broken)]
    return [*(json.dumps(row) for row in rows), '{"note": "Ada Lovelace, ada@example.org']


def outcomes(days_late: int) -> list[str]:
    """Labels of all answers, of one that never was, and a second, other one of the first."""
    lines = []
    at = (FIRST + timedelta(days=days_late)).isoformat()
    for number in [*range(DAY_COUNT * PER_DAY), 999_999]:
        lines.append({"patient": f"customer-4711-{number}", "outcome": number % 2,
                      "outcome_at": f"{at}T00:00:00Z"})  # fmt: skip
    lines.append({**lines[0], "outcome": 1, "outcome_at": f"{at}T06:00:00Z"})
    return [json.dumps(line) for line in lines]


def test_nothing_of_a_person_leaves_the_source(tmp_path: Path) -> None:
    """Harm: a name in a log ends up in landing, quarantine, a mart or a page, in the clear."""
    (tmp_path / "log").mkdir()
    (tmp_path / "truth").mkdir()
    (tmp_path / "triage.yaml").write_text(PRIVATE_SCHEMA, encoding="utf-8")
    lines = "\n".join(private_log()) + "\n"
    (tmp_path / "log" / "log.jsonl").write_text(lines, encoding="utf-8")
    options = "options: {schema: triage.yaml}"
    watched = Watched(
        tmp_path,
        f"start: {FIRST}\nas_of: {LAST}\nlimits: {{quarantined_row_share: 0.5}}\n"
        # of so few days drift can be told at a high rate of false alarms only
        "ai: {false_alarms_per_year: 12}\n"
        f"predictions:\n  - {{name: log, path: log, format: prediction_log, {options}}}\n"
        f"labels:\n  - {{name: truth, path: truth, format: label_log, {options}}}\n"
        + models(
            {
                "name": "triage",
                "task": "classification",
                "owner": "clinic",
                "features": "[age, ward, note]",
                "protected": "[sex]",
                "reference_days": 7,
                "analysis_days": 3,
            }
        ),
    )
    until = FIRST + timedelta(days=40)
    landed = watched.publish(FIRST, until)
    assert sum(one.rows_landed for one in landed) == DAY_COUNT * PER_DAY
    assert sum(one.rows_quarantined for one in landed) == 9
    before = watched.versions()

    (tmp_path / "truth" / "truth.jsonl").write_text("\n".join(outcomes(31)) + "\n")
    landed += watched.publish(FIRST, until)
    after = watched.versions()
    arrival = FIRST + timedelta(days=31)
    changed = {key for key in after if after[key][1] and after[key] != before.get(key)}
    assert changed == {("fct_model_labels", arrival)}
    assert after["fct_model_labels", arrival][1] == DAY_COUNT * PER_DAY + 2

    health = watched.judged(LAST)
    (told,) = (gate for gate in health.gates if gate.gate == "triage")
    # most groups are even and nothing drifted; what labels say comes a month after this day
    assert told.result != "fail", told.reasons
    pages = [path.read_text(encoding="utf-8") for path in health.pages.values()]
    assert any("female" in page for page in pages)
    assert any("note" in page for page in pages)

    answers = watched.mart("fct_model_predictions")
    assert set(answers["prediction_id"]) < set(watched.mart("fct_model_labels")["prediction_id"])
    assert {dict(one)["ward"] for one in answers["categories"]} == {"north", "south"}
    assert all(dict(one)["note"].startswith("h-") for one in answers["categories"])
    daily = watched.mart("fct_model_metrics_daily")
    assert set(zip(daily["input_tokens"], daily["output_tokens"], strict=True)) == {
        (7 * PER_DAY, 11 * PER_DAY)
    }

    state = tmp_path / ".finops"
    assert (state / "quarantine").exists()
    assert bytes_with(tmp_path / "log", CANARIES).keys() == set(CANARIES)
    assert bytes_with(state, CANARIES) == {}
    spoken = f"{health}{landing_metadata(landed)}{[one.model_dump() for one in landed]}"
    assert not [word for word in CANARIES if word in spoken]
