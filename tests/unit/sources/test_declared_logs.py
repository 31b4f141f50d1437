"""Logs with columns of their own, read by a declared schema."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.sources import Limits, open_source
from tests.unit.sources.conftest import Read

SCHEMA = """\
model: loans
version: {column: release}
task: classification
id: application
time: asked_at
features:
  - {name: income, type: number}
  - {name: home, type: category, values: {o: owned, r: rented}}
  - {name: city, type: category}
  - {name: employed, type: boolean}
prediction: {column: decision, values: {approve: 1, deny: 0}}
probability: score
label: {column: repaid, time: repaid_at}
groups:
  - {name: sex, column: SEX, values: {1: male, 2: female}}
  - {name: age_band, column: age, bands: [18, 35, 55]}
latency: {column: seconds, unit: s}
tokens: {input: tokens_in, output: tokens_out}
energy: {column: joules, unit: J}
"""
ROW: dict[str, Any] = {
    "application": "a1", "asked_at": "2026-01-05T10:00:00Z", "release": "2.1",
    "income": 3100.5, "home": "o", "city": "Rome", "employed": True, "decision": "approve",
    "score": 0.8, "SEX": 2, "age": 41, "seconds": 0.25, "tokens_in": 12, "tokens_out": 30,
    "joules": 7200, "repaid": 1, "repaid_at": "2026-02-05T00:00:00Z",
}  # fmt: skip


def row(**changed: Any) -> dict[str, Any]:
    return {**ROW, **changed}


def schema(folder: Path, text: str = SCHEMA, **changed: str) -> Path:
    """A schema beside the log; `changed` replaces whole lines by their key."""
    lines = []
    for one in text.splitlines():
        key = one.partition(":")[0]
        lines.append(f"{key}: {changed.pop(key)}" if key in changed else one)
    lines += [f"{key}: {value}" for key, value in changed.items()]
    path = folder / "loans.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write(path: Path, rows: Sequence[dict[str, Any]]) -> Path:
    """Rows in the kind of file that the name says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in (".parquet", ".pq"):
        pq.write_table(pa.Table.from_pylist(list(rows)), path)
        return path
    if ".csv" in path.name:
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        text = out.getvalue()
    else:
        text = "".join(json.dumps(one) + "\n" for one in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


def read(
    declared: Path, path: Path, format_name: str = "prediction_log", share: int = 1
) -> list[Read]:
    limits = Limits(quarantined_row_share=Decimal(share))
    options = {"schema": str(declared)}
    source = open_source(format_name, "log", path, limits, format_options=options)
    found = []
    for delivery in source.deliveries():
        with source.read(delivery) as result:
            rows, aside = result.rows.read_all(), result.quarantine.read_all()
            found.append(Read(rows, aside, result.landed))
    return found


def one(declared: Path, rows: Sequence[dict[str, Any]], *more: Any) -> Read:
    (only,) = read(declared, write(declared.parent / "log.jsonl", rows), *more)
    return only


@pytest.mark.parametrize(
    "name", ["l.csv", "l.csv.gz", "l.jsonl", "l.jsonl.gz", "l.ndjson", "l.parquet", "l.pq"]
)
def test_every_kind_of_file_is_the_same_rows(tmp_path: Path, name: str) -> None:
    """A model must not drift because its log is packed in another way."""
    (got,) = read(schema(tmp_path), write(tmp_path / name, [row()]))
    (landed,) = got.rows.to_pylist()
    assert got.set_codes == []
    assert landed["time"] == datetime(2026, 1, 5, 10, tzinfo=UTC)
    assert (landed["model"], landed["model_version"]) == ("loans", "2.1")
    assert landed["prediction_id"] == "a1"
    assert dict(landed["features"]) == {"income": 3100.5, "employed": 1.0}
    assert dict(landed["categories"]) == {"home": "owned", "city": "Rome"}
    assert dict(landed["groups"]) == {"sex": "female", "age_band": "35 to under 55"}
    assert (landed["prediction"], landed["probability"]) == (1.0, 0.8)
    assert (landed["latency_ms"], landed["energy_wh"]) == (250.0, 2.0)
    assert (landed["input_tokens"], landed["output_tokens"]) == (12, 30)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"SEX": None}, ("group_missing", "SEX")),
        ({"SEX": 3}, ("group_unknown", "SEX")),
        ({"age": None}, ("group_missing", "age")),
        ({"age": "old"}, ("number_unreadable", "age")),
        ({"home": "x"}, ("category_unknown", "home")),
        ({"employed": "perhaps"}, ("boolean_unreadable", "employed")),
        ({"income": "much"}, ("number_unreadable", "income")),
        ({"decision": "maybe"}, ("class_unknown", "decision")),
        ({"decision": None}, ("value_missing", "decision")),
        ({"application": None}, ("value_missing", "application")),
        ({"application": "a1"}, ("repeated_row", "model+prediction_id")),
        ({"asked_at": "noon"}, ("time_unreadable", "asked_at")),
        ({"asked_at": "2026-01-05T10:00:00"}, ("time_without_zone", "asked_at")),
        ({"score": 1.2}, ("out_of_range", "probability")),
        ({"tokens_in": 1.5}, ("number_unreadable", "tokens_in")),
        ({"tokens_out": -1}, ("out_of_range", "output_tokens")),
        ({"seconds": -0.1}, ("out_of_range", "latency_ms")),
        ({"release": "Ada Lovelace said so"}, ("not_a_word", "model_version")),
    ],
)
def test_row_that_is_not_as_declared_is_set_aside(
    tmp_path: Path, changed: dict[str, Any], reason: tuple[str, str]
) -> None:
    """A guess at any of these is a wrong figure of fairness or quality."""
    got = one(schema(tmp_path), [row(), {**row(application="a2"), **changed}])
    assert reason in got.row_codes
    assert got.rows.num_rows == 1
    assert got.quarantine["row_number"].to_pylist() == [2]


def test_gaps_in_inputs_are_kept_as_gaps(tmp_path: Path) -> None:
    """Inputs that go missing are drift; rows that go missing hide it."""
    gaps = row(income=None, home=None, city="", employed=None, score=None, seconds=None)
    (landed,) = one(schema(tmp_path), [gaps]).rows.to_pylist()
    assert dict(landed["features"]) == {"income": None, "employed": None}
    assert dict(landed["categories"]) == {"home": None, "city": None}
    assert (landed["probability"], landed["latency_ms"]) == (None, None)


def test_row_without_a_group_is_kept_where_the_schema_says_so(tmp_path: Path) -> None:
    """Where people may decline to say, setting them aside judges the model on the others alone."""
    declared = schema(tmp_path, missing_group="unknown")
    (landed,) = one(declared, [row(SEX=None, age=None)]).rows.to_pylist()
    assert dict(landed["groups"]) == {"sex": "unknown", "age_band": "unknown"}
    assert one(declared, [row(), row(application="b", SEX=9)]).row_codes == [
        ("group_unknown", "SEX")
    ]


def test_too_many_rows_set_aside_stop_the_delivery(tmp_path: Path) -> None:
    """One row in a hundred without a group is noise, all of them is a broken log."""
    (only,) = read(
        schema(tmp_path),
        write(tmp_path / "log.jsonl", [row(application=str(n), SEX=None) for n in range(50)]),
        share=0,
    )
    assert only.set_codes == ["quarantined_row_share"]
    assert (only.rows.num_rows, only.quarantine.num_rows) == (0, 50)


@pytest.mark.parametrize("column", ["income", "SEX", "decision", "asked_at", "joules"])
def test_column_that_is_not_there_stops_the_delivery(tmp_path: Path, column: str) -> None:
    """A renamed column would land as a year of empty values."""
    lacking = {key: value for key, value in ROW.items() if key != column}
    options = {"schema": str(schema(tmp_path))}
    path = write(tmp_path / "day=2026-01-05" / "l.csv", [lacking])
    source = open_source("prediction_log", "log", path.parent.parent, format_options=options)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        assert [(f.code, f.column) for f in result.set_faults] == [("column_missing", column)]
        assert result.set_faults[0].hint.startswith("Correct its name in the schema")


def test_column_of_another_type_or_twice_stops_the_delivery(tmp_path: Path) -> None:
    """A list is no number, and of two columns of one name nothing says which is meant."""
    (got,) = read(schema(tmp_path), write(tmp_path / "a" / "l.parquet", [row(income=[1, 2])]))
    assert got.set_codes == ["column_type"]
    when = datetime.fromisoformat("2026-01-01")
    (got,) = read(schema(tmp_path), write(tmp_path / "b" / "l.parquet", [row(income=when)]))
    assert got.set_codes == ["column_type"]
    path = write(tmp_path / "c" / "l.csv", [row()])
    path.write_text("\n".join(f"{line},{line.split(',')[3]}" for line in
                              path.read_text().splitlines()) + "\n")  # fmt: skip
    (got,) = read(schema(tmp_path), path)
    assert got.set_codes == ["column_repeated"]


def test_keys_inside_of_columns_can_be_named(tmp_path: Path) -> None:
    """Serving platforms log the whole request as one object."""
    declared = (
        schema(tmp_path)
        .read_text()
        .replace(
            "{name: income, type: number}",
            "{name: income, column: request.money.income, type: number}",
        )
    )
    inner = {"money": {"income": 5.5}}
    for name, value in (("l.jsonl", inner), ("l.csv", json.dumps(inner)), ("l.parquet", inner)):
        path = write(tmp_path / name, [row(request=value)])
        (got,) = read(schema(tmp_path, declared), path)
        assert dict(got.rows.to_pylist()[0]["features"])["income"] == 5.5, name


@pytest.mark.parametrize(
    ("time", "value", "instant"),
    [
        ("{column: asked_at, timezone: Europe/Berlin}", "2026-07-01T10:00:00", "2026-07-01T08:00"),
        ("{column: asked_at, timezone: Europe/Berlin}", "2026-07-01T10:00:00Z", "2026-07-01T10:00"),
        ("{column: asked_at, timezone: Europe/Berlin}", "2026-07-01 10:00:00+05:30",
         "2026-07-01T04:30"),
        ('{column: asked_at, format: "%d.%m.%Y %H:%M", timezone: America/New_York}',
         "31.01.2026 23:30", "2026-02-01T04:30"),
        ('{column: asked_at, format: "%d/%b/%Y:%H:%M:%S %z"}', "31/Jan/2026:23:30:00 +0200",
         "2026-01-31T21:30"),
        ('{column: asked_at, format: "%Y", timezone: UTC}', 2015, "2015-01-01T00:00"),
        ("{column: asked_at, unit: s}", 1767225600.5, "2026-01-01T00:00:00.500"),
        ("{column: asked_at, unit: ms}", 1767225600123, "2026-01-01T00:00:00.123"),
        ("{column: asked_at, unit: ns}", 1767225600123456789, "2026-01-01T00:00:00.123457"),
        ("{constant: 2026-03-01T00:00:00+01:00}", "anything", "2026-02-28T23:00"),
    ],
)  # fmt: skip
def test_times_are_read_as_declared(tmp_path: Path, time: str, value: Any, instant: str) -> None:
    """An hour of one's own zone taken for UTC puts answers into another day, unseen."""
    got = one(schema(tmp_path, time=time), [row(asked_at=value)])
    assert got.row_codes == []
    assert got.rows["time"].to_pylist() == [datetime.fromisoformat(instant).replace(tzinfo=UTC)]


@pytest.mark.parametrize("value", ["2026-10-25T02:30:00", "2026-03-29T02:30:00"])
def test_hour_that_happens_twice_or_never_is_set_aside(tmp_path: Path, value: str) -> None:
    """Which of the two it was nobody can tell: a guess is wrong for half of the night."""
    declared = schema(tmp_path, time="{column: asked_at, timezone: Europe/Berlin}")
    hour = timedelta(hours=1)
    clear = [(datetime.fromisoformat(value) + d).isoformat() for d in (-hour, hour)]
    rows = [row(application=text, asked_at=text) for text in (value, *clear)]
    got = read(declared, write(tmp_path / "log.jsonl", rows))
    assert [code for day in got for code in day.row_codes] == [("time_ambiguous", "asked_at")]
    assert [id_ for day in got for id_ in day.rows["prediction_id"].to_pylist()] == clear


def test_times_of_a_column_without_a_zone_need_one(tmp_path: Path) -> None:
    """A column of timestamps looks as if it were certain."""
    path = write(tmp_path / "l.parquet", [row(asked_at=datetime.fromisoformat("2026-07-01T10:00"))])
    (got,) = read(schema(tmp_path), path)
    assert got.set_codes == ["time_without_zone"]
    declared = schema(tmp_path, time="{column: asked_at, timezone: Europe/Berlin}")
    (got,) = read(declared, path)
    assert got.rows["time"].to_pylist() == [datetime(2026, 7, 1, 8, tzinfo=UTC)]


def test_rows_without_an_id_are_told_apart_by_what_they_hold(tmp_path: Path) -> None:
    """Equal people exist: merging them loses answers, and a row's place would move its label."""
    declared = schema(tmp_path, id="none")
    rows = [row(), row(income=1), row(), row(repaid=0)]
    first = one(declared, rows)
    ids = first.rows["prediction_id"].to_pylist()
    assert len(set(ids)) == 4
    contents = [one_id.rpartition("-")[0] for one_id in ids]
    assert contents[0] == contents[2] == contents[3] != contents[1]
    turned = one(declared, rows[::-1])
    assert sorted(turned.rows["prediction_id"].to_pylist()) == sorted(ids)
    labels = one(declared, rows, "label_log")
    assert dict(zip(labels.rows["prediction_id"].to_pylist(), labels.rows["label"].to_pylist(),
                    strict=True)) == dict(zip(ids, [1, 1, 1, 0], strict=True))  # fmt: skip


def test_log_of_several_models_gives_each_its_own_rows(tmp_path: Path) -> None:
    """Another model's answers would be drift of this one."""
    declared = schema(tmp_path, rows="{column: served_by, value: loans}")
    others = [row(application=str(n), served_by=name) for n, name in enumerate(["cards", None])]
    got = one(declared, [row(served_by="loans"), *others])
    assert got.rows["prediction_id"].to_pylist() == ["a1"]
    assert got.landed.rows_in == 1
    note = next(f for f in got.landed.conformance if f.code == "rows_left_out")
    assert "2 row(s)" in note.expected


def test_labels_beside_answers_are_those_that_are_known(tmp_path: Path) -> None:
    """An answer whose truth is to come is no faulty label; counted as one it stops the day."""
    rows = [row(), row(application="a2", repaid=None, repaid_at=None)]
    got = one(schema(tmp_path), rows, "label_log", 0)
    assert got.rows["prediction_id"].to_pylist() == ["a1"]
    assert got.rows["label"].to_pylist() == [1.0]
    assert got.landed.delivery.partition == date(2026, 2, 5)


def test_labels_in_files_of_their_own_need_no_other_column(tmp_path: Path) -> None:
    """Truth comes from another system, which knows nothing of the model's inputs."""
    declared = schema(
        tmp_path, label="{column: repaid, id: loan_no, time: repaid_at, values: {yes: 1, no: 0}}"
    )
    label = {"loan_no": "a1", "repaid": "no", "repaid_at": "2026-02-05T00:00:00Z"}
    got = one(declared, [label], "label_log")
    assert got.rows.to_pylist()[0]["prediction_id"] == "a1"
    assert got.rows["label"].to_pylist() == [0.0]


def test_label_before_its_answer_is_set_aside(tmp_path: Path) -> None:
    """A truth that was known before the question is a leak, or a swapped column."""
    rows = [row(), row(application="a2", repaid_at="2026-01-01T00:00:00Z")]
    path = write(tmp_path / "day=2026-02-05" / "l.jsonl", rows)
    (got,) = read(schema(tmp_path), path.parent.parent, "label_log")
    assert got.row_codes == [("label_before_prediction", "repaid_at")]


def test_corrected_label_lands_beside_the_first(tmp_path: Path) -> None:
    """Overwriting it would change what a past day was judged on."""
    rows = [row(), row(repaid=0, repaid_at="2026-02-09T00:00:00Z")]
    path = write(tmp_path / "day=2026-02-10" / "l.jsonl", rows)
    (got,) = read(schema(tmp_path), path.parent.parent, "label_log")
    assert got.rows["label"].to_pylist() == [1.0, 0.0]
    again = [row(), row(repaid=0)]
    (got,) = read(schema(tmp_path), write(tmp_path / "again.jsonl", again), "label_log")
    assert got.row_codes == [("repeated_row", "model+prediction_id+time")]


def test_regressor_answers_with_numbers(tmp_path: Path) -> None:
    """Classes for a regressor, or numbers for a classifier, are another model's log."""
    declared = schema(
        tmp_path, SCHEMA.replace("probability: score\n", ""), task="regression",
        prediction="income", label="{column: income, after_days: 2}",
    )  # fmt: skip
    assert one(declared, [row()]).rows["prediction"].to_pylist() == [3100.5]
    labels = one(declared, [row()], "label_log")
    assert labels.rows["time"].to_pylist() == [datetime(2026, 1, 7, 10, tzinfo=UTC)]
    got = one(schema(tmp_path, prediction="score"), [row()])
    assert got.row_codes == [("class_unknown", "score")]


@pytest.mark.parametrize(
    ("changed", "line", "key", "wanted"),
    [
        ({"task": "guessing"}, 3, "task", "classification"),
        ({"version": "1.10"}, 2, "version", "in quotes"),
        ({"id": ""}, 4, "id", "a column, or none"),
        ({"time": "{column: t, timezone: Europe/Nowhere}"}, 5, "time.timezone", "IANA"),
        ({"time": '{column: t, format: "%Y"}'}, 5, "time", "timezone"),
        ({"time": "{column: t, unit: minutes}"}, 5, "time.unit", "'ms'"),
        ({"latency": "{column: t}"}, 17, "latency.unit", "the key"),
        ({"label": "repaid"}, None, "label", "dictionary"),
        ({"groups": "[{name: sex, column: SEX}]"}, None, "groups[0]", "values or bands"),
        ({"modell": "x"}, None, "modell", "a known key"),
    ],
)
def test_schema_that_cannot_be_used_names_its_line(
    tmp_path: Path, changed: dict[str, str], line: int | None, key: str, wanted: str
) -> None:
    """A schema that is half understood reads every log wrongly."""
    text = SCHEMA
    if "groups" in changed:
        text = "\n".join(x for x in text.splitlines() if not x.startswith("  - {name: sex")
                         and not x.startswith("  - {name: age_band"))  # fmt: skip
    declared = schema(tmp_path, text, **changed)
    with pytest.raises(SettingsError) as error:
        read(declared, tmp_path)
    (fault,) = error.value.faults
    assert (fault.file, fault.column) == (str(declared), key)
    assert fault.row is not None
    assert line is None or fault.row == line
    assert wanted in fault.expected


def test_labels_need_a_label_in_the_schema_and_a_schema_at_all(tmp_path: Path) -> None:
    """A source that can deliver nothing looks like one of which nothing came yet."""
    text = "\n".join(x for x in SCHEMA.splitlines() if not x.startswith("label"))
    with pytest.raises(SettingsError, match="names no label"):
        read(schema(tmp_path, text), tmp_path, "label_log")
    with pytest.raises(SettingsError) as error:
        open_source("prediction_log", "log", tmp_path)
    assert error.value.faults[0].column == "log: options.schema"


def test_another_schema_is_another_delivery(tmp_path: Path) -> None:
    """Else rows that were read by a wrong schema stay in force after it was mended."""
    path = write(tmp_path / "log.jsonl", [row()])
    ids = {
        read(schema(tmp_path, version=version), path)[0].landed.delivery.delivery_id
        for version in ("'1'", "'2'")
    }
    assert len(ids) == 2
