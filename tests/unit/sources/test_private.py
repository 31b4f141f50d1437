"""What becomes of private values on their way to landing."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.domain.privacy import Action, PrivacyPolicy, TablePrivacy
from finops_dagster.domain.schemas import LANDING_TABLES, LogicalType
from finops_dagster.sources import Limits, ReadOptions, open_source
from finops_dagster.sources.private import SHIPPED, Privacy, read_policy

KEY = b"k" * 32
LENIENT = Limits(quarantined_row_share=Decimal(1))
CANARIES = ("Ada Lovelace", "ada@example.org", "078-05-1120")


def privacy(table: str = "predictions", key: bytes = KEY, **rules: Any) -> Privacy:
    policy = PrivacyPolicy.model_validate({table: rules} if rules else {})
    return Privacy.of(LANDING_TABLES[table], [policy], lambda: key)


def land(path: Path, table: str = "predictions", how: Privacy | None = None) -> dict[str, Any]:
    """Everything that is told of one delivery: rows, rows set aside, faults, notes."""
    options = ReadOptions(privacy=how or privacy(table))
    source = open_source(table, "src", path, LENIENT, options)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        rows, aside = result.rows.read_all(), result.quarantine.read_all()
        landed = result.landed
    return {
        "rows": rows.to_pylist(),
        "aside": aside.to_pylist(),
        "landed": landed,
        "text": f"{rows.to_pylist()}{aside.to_pylist()}{landed.model_dump_json()}",
    }


def row(**changed: Any) -> dict[str, Any]:
    return {
        "time": "2026-01-01T00:00:00Z",
        "model": "churn",
        "model_version": "3",
        "prediction_id": "078-05-1120",
        "features": {"age": 41},
        "categories": {"city": "Ada Lovelace"},
        "groups": {"sex": "female"},
        "prediction": 1,
        **changed,
    }


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    return path


def test_shipped_policy_speaks_of_every_personal_column() -> None:
    """A column declared personal that no rule fits would be dropped, and nobody told."""
    shipped = read_policy(SHIPPED)
    for table in LANDING_TABLES.values():
        rules = TablePrivacy(table, shipped.of(table.name))
        for column in (one for one in table.columns if one.personal):
            key = "x" if column.type in (LogicalType.STRING_MAP, LogicalType.FLOAT_MAP) else None
            assert any(pattern.partition(".")[0] == column.name for pattern, _ in rules.rules), (
                f"{table.name}.{column.name}"
            )
            assert rules.of(column, key).action is not Action.DROP


def test_ids_land_as_keyed_hashes_that_labels_still_join(tmp_path: Path) -> None:
    """An id in the clear names a person; one that hashes otherwise in labels joins nothing."""
    answers = land(write(tmp_path / "p.jsonl", row()))
    label = {"time": "2026-02-01T00:00:00Z", "model": "churn", "label": 1}
    truth = land(write(tmp_path / "l.jsonl", {**label, "prediction_id": "078-05-1120"}), "labels")
    (answer,), (known,) = answers["rows"], truth["rows"]
    assert answer["prediction_id"] == known["prediction_id"]
    assert answer["prediction_id"].startswith("h-")
    assert dict(answer["groups"]) == {"sex": "female"}
    assert dict(answer["features"]) == {"age": 41.0}
    assert not [word for word in CANARIES if word in answers["text"] + truth["text"]]
    other = land(tmp_path / "p.jsonl", how=privacy(key=b"o" * 32))
    assert other["rows"][0]["prediction_id"] != answer["prediction_id"]
    assert other["landed"].delivery.delivery_id != answers["landed"].delivery.delivery_id


@pytest.mark.parametrize(
    "changed",
    [
        {"features": {"age": "ada@example.org"}},
        {"prediction": "ada@example.org"},
        {"model_version": "ada@example.org"},
        {"groups": {"sex": "ada@example.org"}},
        {"probability": "Ada Lovelace"},
        {"time": "Ada Lovelace"},
        {"latency_ms": -78},
    ],
)
def test_rows_set_aside_quote_nothing(tmp_path: Path, changed: dict[str, Any]) -> None:
    """A fault that quotes its value carries it into logs, reports and the orchestrator's store."""
    read = land(write(tmp_path / "p.jsonl", row(prediction_id="x1"), row(**changed)))
    assert len(read["aside"]) == 1
    assert "characters" in read["aside"][0]["raw"]
    assert read["landed"].row_faults
    assert not [word for word in CANARIES if word in read["text"]]


@pytest.mark.parametrize(
    "text",
    [
        "Ada Lovelace,ada@example.org,078-05-1120\n1,2,3\n",
        "time,model,Ada Lovelace,Ada Lovelace\n"
        "2026-01-01T00:00:00Z,m,ada@example.org,078-05-1120\n",
        "time,model\n2026-01-01T00:00:00Z,m,ada@example.org,078-05-1120\n",
    ],
    ids=["no header", "unknown columns", "too many values"],
)
def test_broken_files_show_no_line_and_no_name(tmp_path: Path, text: str) -> None:
    """A file without its header has people for column names."""
    (tmp_path / "p.csv").write_text(text, encoding="utf-8")
    read = land(tmp_path / "p.csv")
    assert read["aside"]
    assert not [word for word in CANARIES if word in read["text"]]


def test_values_are_hashed_dropped_or_made_coarser(tmp_path: Path) -> None:
    """A rule that is read and not followed is worse than none: people rely on it."""
    how = privacy(
        **{
            "features.age": {"generalise": 10},
            "features.income": "drop",
            "groups.sex": {"words": ["female"]},
            "categories.city": "drop",
            "categories.*": "hash",
        }
    )
    rows = [
        row(features={"age": 41, "income": 9}, categories={"city": "Rome", "job": "nurse"}),
        row(prediction_id="2", features={"age": -1, "spend": 2.5}, groups={"sex": "x"}),
        row(prediction_id="3", features={"age": None}, categories=None),
    ]
    first, second, third = land(write(tmp_path / "p.jsonl", *rows), how=how)["rows"]
    assert dict(first["features"]) == {"age": 40.0}
    assert dict(second["features"]) == {"age": -10.0, "spend": 2.5}
    assert dict(third["features"]) == {"age": None}
    assert dict(first["groups"]) == {"sex": "female"}
    assert dict(second["groups"])["sex"].startswith("h-")
    assert dict(first["categories"]) == {"job": how.hashed("nurse", "categories.job")}
    assert dict(second["categories"]) == {}
    assert third["categories"] is None


def test_equal_texts_of_two_columns_have_other_hashes() -> None:
    """Else a customer number in one column could be followed through all others."""
    how = privacy()
    assert how.hashed("7", "prediction_id") != how.hashed("7", "categories.customer")


def test_tables_of_which_all_is_kept_stay_as_they_are(tmp_path: Path) -> None:
    """A bill must not land anew, nor lose the text of rows set aside, for nobody's rule."""
    how = privacy("charges")
    assert (how.masked, how.digest(), how.key) == (False, "", b"")
    assert privacy("charges", **{"tags.owner": "hash"}).masked


def test_tags_and_unknown_columns_of_bills_are_treated(
    tmp_path: Path, write_csv: Any, charge: Any
) -> None:
    """Bills carry names of people in tags, and in columns of one's own."""
    bill = charge(Tags='{"owner": "Ada Lovelace", "team": "web"}', x_Contact="ada@example.org")
    write_csv(tmp_path / "bill.csv", [bill])
    how = privacy("charges", **{"tags.owner": "hash", "x_columns.*": "drop"})
    source = open_source("focus", "src", tmp_path, options=ReadOptions(privacy=how))
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        (only,) = result.rows.read_all().to_pylist()
        result.quarantine.read_all()
        told = f"{only}{result.landed.model_dump_json()}"
    assert dict(only["tags"])["team"] == "web"
    assert dict(only["tags"])["owner"].startswith("h-")
    assert dict(only["x_columns"] or {}) == {}
    assert not [word for word in CANARIES if word in told]


def test_maps_with_gaps_keep_their_rows() -> None:
    """Entries that move to the next row give one person's data to another."""
    how = privacy(**{"features.b": "drop"})
    type_ = pa.map_(pa.string(), pa.float64())
    given = [None, [("a", 1.0), ("b", 2.0)], [], [("b", 3.0)], [("c", None)], None]
    values = pa.array([[("b", 9.0)], *given], type_).slice(1)
    assert how.column("features", values).to_pylist() == [
        None, [("a", 1.0)], [], [], [("c", None)], None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "key", "wanted"),
    [
        ("predictons:\n  prediction_id: hash\n", 1, "predictons", "predictions"),
        ("predictions:\n  prediction: hash\n", 2, "predictions.prediction", "keep, drop or"),
        ("predictions:\n  prediction_id: drop\n", 2, "predictions.prediction_id", "cannot be used"),
        ("predictions:\n  features: drop\n", 2, "predictions.features", "features.KEY"),
        ("labels:\n  who: hash\n", 2, "labels.who", "a column of labels"),
        ("labels:\n  model: hash\n", 2, "labels.model", "nothing can be told"),
        ("labels:\n  prediction_id: hide\n", 2, "labels.prediction_id", "keep, hash, drop"),
        ("charges:\n  tags.owner: {generalise: 3}\n", 2, "charges.tags.owner", "keep, hash, drop"),
        ("charges:\n  billed_cost: drop\n", 2, "charges.billed_cost", "cannot be used"),
        ("predictions:\n  features.age: {generalise: 0}\n", 2, None, "greater than 0"),
    ],
)  # fmt: skip
def test_rule_that_cannot_be_followed_names_its_line(
    tmp_path: Path, text: str, line: int, key: str | None, wanted: str
) -> None:
    """A misspelt rule leaves in the clear what its author believes hidden."""
    path = tmp_path / "privacy.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        read_policy(path)
    (fault,) = error.value.faults
    assert (fault.file, fault.row) == (str(path), line)
    assert key is None or fault.column == key
    assert wanted in fault.expected
