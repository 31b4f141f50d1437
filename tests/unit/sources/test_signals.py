"""Telemetry, carbon, predictions and labels."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.schemas import LANDING_TABLES
from finops_dagster.sources import FORMATS, Limits, arrow_schema
from finops_dagster.sources.options import Configurable

LENIENT = Limits(quarantined_row_share=Decimal(1))
PREDICTION = {
    "time": "2025-01-01T00:00:00Z",
    "model": "churn",
    "model_version": "3",
    "prediction_id": "p1",
    "features": {"age": 41, "spend": 1.5},
    "groups": {"sex": "f"},
    "prediction": 1,
    "probability": 0.8,
}


def test_formats_cover_every_landed_table() -> None:
    """A table without a format would stay empty and look idle."""
    made = [fmt for fmt in FORMATS.values() if not isinstance(fmt, Configurable)]
    assert {fmt.table.name for fmt in made} == set(LANDING_TABLES)


def test_points_of_three_file_kinds_are_the_same_rows(tmp_path, write_csv, point, read_one) -> None:
    """What an exporter writes must not depend on how it was packed."""
    rows = [point(), point(time="2025-01-01T00:05:00Z", value="1.5e-3")]
    write_csv(tmp_path / "csv" / "p.csv", rows)
    lines = "".join(json.dumps({**row, "value": float(row["value"])}) + "\n" for row in rows)
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "p.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "parquet").mkdir()
    typed = [
        {**row, "time": datetime.fromisoformat(row["time"]), "interval_seconds": 300,
         "value": float(row["value"])}
        for row in rows
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(typed), tmp_path / "parquet" / "p.parquet")
    read = [read_one("telemetry", tmp_path / kind) for kind in ("csv", "json", "parquet")]
    assert all(r.rows.schema.equals(arrow_schema(LANDING_TABLES["measurements"])) for r in read)
    columns = ["time", "interval_seconds", "metric", "namespace", "name", "container", "value"]
    first, second, third = (r.rows.select(columns).to_pylist() for r in read)
    assert first == second == third
    assert first[1]["value"] == 0.0015


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"value": "NaN"}, ("number_unreadable", "value")),
        ({"value": "inf"}, ("number_unreadable", "value")),
        ({"value": "much"}, ("number_unreadable", "value")),
        ({"value": ""}, ("value_missing", "value")),
        ({"metric": ""}, ("value_missing", "metric")),
        ({"interval_seconds": "0"}, ("out_of_range", "interval_seconds")),
        ({"interval_seconds": "1.5"}, ("number_unreadable", "interval_seconds")),
        ({"time": "noon"}, ("time_unreadable", "time")),
    ],
)
def test_faulted_point_is_set_aside(
    tmp_path, write_csv, point, read_one, changed: dict[str, str], reason: tuple[str, str]
) -> None:
    """One NaN in a mean makes the whole workload's evidence undefined."""
    path = write_csv(tmp_path / "p.csv", [point(), point(**{"name": "other", **changed})])
    read = read_one("telemetry", path, LENIENT)
    assert read.row_codes == [reason]
    assert read.rows.num_rows == 1


def test_repeated_point_is_set_aside_even_across_files(
    tmp_path, write_csv, point, read_one
) -> None:
    """Two scrapers of one pod would double what it uses."""
    write_csv(tmp_path / "a.csv", [point(), point(container="")])
    write_csv(tmp_path / "b.csv", [point(value="9"), point(container="", value="9"),
                                   point(metric="other")])  # fmt: skip
    read = read_one("telemetry", tmp_path, LENIENT)
    assert read.rows["value"].to_pylist() == [0.5, 0.5, 0.5]
    assert {code for code, _ in read.row_codes} == {"repeated_row"}
    assert read.quarantine["row_number"].to_pylist() == [1, 2]


def test_unknown_metric_and_no_namespace_are_kept(tmp_path, write_csv, point, read_one) -> None:
    """Nodes have no namespace, and tomorrow's exporter has metrics of its own."""
    path = write_csv(tmp_path / "p.csv", [point(metric="my_new_metric", namespace="")])
    read = read_one("telemetry", path)
    assert read.rows["namespace"].to_pylist() == [""]
    assert read.rows["metric"].to_pylist() == ["my_new_metric"]


def test_rows_over_the_limit_stop_the_day(tmp_path, write_csv, point, read_one) -> None:
    """One bad row in a hundred is noise, two are a broken exporter."""

    def day(bad: int) -> list[dict[str, str]]:
        times = [f"2025-01-01T{n // 60:02}:{n % 60:02}:00Z" for n in range(100)]
        return [point(time=t, value="NaN" if n < bad else "1") for n, t in enumerate(times)]

    assert read_one("telemetry", write_csv(tmp_path / "a" / "p.csv", day(1))).set_codes == []
    read = read_one("telemetry", write_csv(tmp_path / "b" / "p.csv", day(2)))
    assert read.set_codes == ["quarantined_row_share"]
    assert (read.rows.num_rows, read.quarantine.num_rows) == (0, 100)


def test_bare_file_of_two_days_is_two_deliveries(tmp_path, write_csv, point, read_each) -> None:
    """Decisions are by day: a day must be readable without the others."""
    rows = [point(), point(time="2025-01-02T00:00:00Z"), point(time="2025-01-01T23:59:59Z")]
    read = read_each("telemetry", write_csv(tmp_path / "p.csv", rows))
    assert [r.landed.delivery.partition for r in read] == [date(2025, 1, 1), date(2025, 1, 2)]
    assert [r.rows.num_rows for r in read] == [2, 1]


def test_point_of_another_day_than_its_folder_is_set_aside(
    tmp_path, write_csv, point, read_one
) -> None:
    """It would count in a day that was decided without it."""
    write_csv(tmp_path / "day=2025-01-01" / "p.csv", [point(), point(time="2025-01-02")])
    read = read_one("telemetry", tmp_path, LENIENT)
    assert read.row_codes == [("other_partition", "time")]


def test_label_that_arrives_late_is_of_the_day_of_its_arrival(
    tmp_path, write_csv, read_one
) -> None:
    """Truth comes weeks late: refusing it would leave the model unjudged."""
    label = {"time": "2025-01-01T00:00:00Z", "model": "m", "prediction_id": "p", "label": "1"}
    write_csv(tmp_path / "day=2025-01-20" / "l.csv", [label])
    read = read_one("labels", tmp_path)
    assert read.rows.num_rows == 1
    assert read.landed.delivery.partition == date(2025, 1, 20)


@pytest.mark.parametrize("kind", ["jsonl", "parquet-map", "parquet-struct", "csv"])
def test_predictions_with_features_in_every_shape(tmp_path, read_one, kind: str) -> None:
    """Features that do not arrive are drift that nobody sees."""
    if kind == "jsonl":
        (tmp_path / "p.jsonl").write_text(json.dumps(PREDICTION) + "\n")
    elif kind == "csv":
        flat = {k: json.dumps(v).replace('"', '""') if isinstance(v, dict) else v
                for k, v in PREDICTION.items()}  # fmt: skip
        text = ",".join(flat) + "\n" + ",".join(f'"{v}"' for v in flat.values()) + "\n"
        (tmp_path / "p.csv").write_text(text)
    else:
        table = pa.Table.from_pylist([PREDICTION])
        if kind == "parquet-map":
            features = pa.array(
                [[("age", 41.0), ("spend", 1.5)]], pa.map_(pa.string(), pa.float64())
            )
            table = table.set_column(4, "features", features)
        pq.write_table(table, tmp_path / "p.parquet")
    (row,) = read_one("predictions", tmp_path).rows.to_pylist()
    assert dict(row["features"]) == {"age": 41.0, "spend": 1.5}
    assert dict(row["groups"]) == {"sex": "f"}
    assert (row["prediction"], row["probability"], row["latency_ms"]) == (1.0, 0.8, None)


def test_json_line_that_is_no_object_is_set_aside(tmp_path, point, read_one) -> None:
    """A log line among the data must not stop the day, nor vanish."""
    path = tmp_path / "p.jsonl"
    path.write_text("ERROR: disk full\n" + json.dumps(point()) + "\n[1]\n")
    read = read_one("telemetry", path, LENIENT)
    assert read.rows.num_rows == 1
    assert [code for code, _ in read.row_codes] == ["not_json", "not_json"]
    assert read.quarantine["row_number"].to_pylist() == [1, 3]
    assert "disk full" in str(read.quarantine["raw"].to_pylist())


def test_json_lines_cut_in_the_middle_are_refused(tmp_path, point, read_one) -> None:
    """A day that ends at noon looks like a workload that stopped."""
    path = tmp_path / "p.jsonl"
    path.write_text(json.dumps(point()) + "\n" + json.dumps(point(name="b"))[:-20])
    read = read_one("telemetry", path, LENIENT)
    assert read.set_codes == ["truncated_file"]
    assert read.quarantine.num_rows == 2


def test_accounting_words_of_carbon(tmp_path, write_csv, read_one) -> None:
    """Location and market are two numbers for one hour: mixing them is greenwashing by accident."""
    row = {"time": "2025-01-01T00:00:00Z", "region": "eu-west-1", "gco2e_per_kwh": "0"}
    rows = [{**row, "accounting": word} for word in ("Location-Based", "market", "guess")]
    read = read_one("carbon", write_csv(tmp_path / "c.csv", rows), LENIENT)
    assert read.rows["accounting"].to_pylist() == ["location", "market"]
    assert read.row_codes == [("word_unknown", "accounting")]


def test_times_without_zone_are_utc(tmp_path, write_csv, point, read_one) -> None:
    """A local reading shifts telemetry against the bill it explains."""
    read = read_one("telemetry", write_csv(tmp_path / "p.csv", [point(time="2025-01-01 10:00:00")]))
    assert read.rows["time"].to_pylist() == [datetime(2025, 1, 1, 10, tzinfo=UTC)]
    assert read.conformance["time_without_zone"] == ["time"]
