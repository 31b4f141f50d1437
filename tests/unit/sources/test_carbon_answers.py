"""Grid intensity from answers that were saved, and from files with our own columns."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.sources import Limits

LENIENT = Limits(quarantined_row_share=Decimal(1))

# As the API's reference shows them; the history endpoint and the past-range endpoint differ in
# the key of their rows.
HOUR = {
    "zone": "DE",
    "carbonIntensity": 302,
    "datetime": "2026-01-05T18:00:00.000Z",
    "updatedAt": "2026-01-05T18:07:01.000Z",
    "createdAt": "2026-01-02T18:07:01.000Z",
    "emissionFactorType": "lifecycle",
    "isEstimated": True,
    "estimationMethod": "TIME_SLICER_AVERAGE",
}
POINT = {"point_time": "2026-01-05T18:00:00Z", "value": 870, "imputed_data_used": True}
META = {
    "data_point_period_seconds": 300,
    "model": {"date": "2023-03-01"},
    "region": "CAISO_NORTH",
    "signal_type": "co2_moer",
    "units": "lbs_co2_per_mwh",
    "warnings": [],
}


def saved(folder: Path, document: Any, name: str = "answer.json") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.mark.parametrize("key", ["data", "history"])
def test_electricity_maps_answers_keep_how_they_are_known(tmp_path, read_one, key: str) -> None:
    """An estimate that passes for a measurement makes a day look better known than it is."""
    measured = {**HOUR, "datetime": "2026-01-05T19:00:00.000Z", "isEstimated": False,
                "estimationMethod": None, "emissionFactorType": "direct"}  # fmt: skip
    read = read_one(
        "electricity_maps",
        saved(tmp_path / "em", {"zone": "DE", "temporalGranularity": "hourly",
                                key: [HOUR, measured]}),
    )  # fmt: skip
    assert (read.set_codes, read.row_codes) == ([], [])
    first, second = read.rows.to_pylist()
    assert first["time"] == datetime(2026, 1, 5, 18, tzinfo=UTC)
    told = ("region", "zone", "accounting", "kind", "factors", "gco2e_per_kwh", "basis",
            "estimation_method")  # fmt: skip
    assert tuple(first[name] for name in told) == (
        None, "DE", "location", "average", "lifecycle", 302.0, "estimated", "TIME_SLICER_AVERAGE",
    )  # fmt: skip
    assert tuple(second[name] for name in told[4:]) == ("direct", 302.0, "measured", None)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"estimationMethod": "SANDBOX_MODE_DATA"}, ("sandbox_data", "estimationMethod")),
        ({"temporalGranularity": "daily"}, ("granularity_unknown", "temporalGranularity")),
        ({"emissionFactorType": "magic"}, ("word_unknown", "emissionFactorType")),
        ({"carbonIntensity": -1}, ("out_of_range", "gco2e_per_kwh")),
        ({"carbonIntensity": "much"}, ("number_unreadable", "carbonIntensity")),
        ({"zone": None}, ("value_missing", "zone")),
    ],
)
def test_values_that_are_none_are_set_aside(
    tmp_path, read_one, changed: dict[str, Any], reason: tuple[str, str]
) -> None:
    """A sandbox answers with invented numbers; a daily mean is no hour."""
    rows = [HOUR, {**HOUR, "datetime": "2026-01-05T19:00:00.000Z", **changed}]
    read = read_one("electricity_maps", saved(tmp_path / "em", {"data": rows}), LENIENT)
    assert reason in read.row_codes
    assert read.rows.num_rows == 1


def test_an_hour_without_a_value_is_a_gap_and_no_fault(tmp_path, read_one) -> None:
    """One hour that the API does not know must not refuse the other twenty-three."""
    rows = [HOUR, {**HOUR, "datetime": "2026-01-05T19:00:00.000Z", "carbonIntensity": None}]
    read = read_one("electricity_maps", saved(tmp_path / "em", {"data": rows}))
    assert (read.set_codes, read.row_codes) == ([], [])
    assert read.rows["gco2e_per_kwh"].to_pylist() == [302.0, None]


def test_watttime_answers_are_converted_and_keep_their_kind(tmp_path, read_one) -> None:
    """A marginal rate taken for an average counts emissions that somebody else caused."""
    folder = tmp_path / "wt"
    saved(folder, {"data": [POINT], "meta": META}, "moer.json")
    aoer = {**META, "signal_type": "co2_aoer"}
    saved(folder, {"data": [{**POINT, "imputed_data_used": False}], "meta": aoer}, "aoer.json")
    read = read_one("watttime", folder)
    assert (read.set_codes, read.row_codes) == ([], [])
    by_kind = {row["kind"]: row for row in read.rows.to_pylist()}
    # 870 lb/MWh x 0.45359237 kg/lb
    assert by_kind["marginal"]["gco2e_per_kwh"] == pytest.approx(394.6253619, rel=1e-12)
    assert by_kind["marginal"]["basis"] == "estimated"
    assert by_kind["average"]["basis"] == "measured"
    assert {row["zone"] for row in by_kind.values()} == {"CAISO_NORTH"}
    assert {row["factors"] for row in by_kind.values()} == {"direct"}


@pytest.mark.parametrize(
    ("meta", "code"),
    [
        ({**META, "units": "kg_co2_per_mwh"}, "unit_unknown"),
        ({**META, "signal_type": "health_damage"}, "word_unknown"),
        ({**META, "region": None}, "value_missing"),
    ],
)
def test_watttime_answers_in_other_units_are_set_aside(
    tmp_path, read_one, meta: dict[str, Any], code: str
) -> None:
    """Another unit read as pounds is off by a factor, and still looks like an intensity."""
    read = read_one("watttime", saved(tmp_path / "wt", {"data": [POINT], "meta": meta}), LENIENT)
    assert [found for found, _ in read.row_codes] == [code]


def test_an_answer_without_its_meta_is_refused(tmp_path, read_one) -> None:
    """Without it nobody knows the unit: the CSV of WattTime's own client lacks it."""
    path = tmp_path / "wt.csv"
    path.write_text("point_time,value\n2026-01-05T18:00:00Z,870\n")
    assert read_one("watttime", path, LENIENT).set_codes == ["column_missing"]


@pytest.mark.parametrize(
    "text",
    ["<html>Sign in</html>", '{"zone":"DE","data":[{"zone":"DE","carbonInt', "", '"DE"'],
    ids=["html", "truncated", "empty", "no object"],
)
def test_what_is_no_answer_is_refused(tmp_path, read_one, text: str) -> None:
    """A login page saved as an answer must stop its day, with the file's name."""
    path = tmp_path / "em.json"
    path.write_text(text)
    read = read_one("electricity_maps", path)
    assert read.set_codes
    assert read.rows.num_rows == 0
    assert all(f.file in (None, "em.json") for f in read.landed.set_faults)


def test_files_may_name_zones_ends_and_kinds(tmp_path, write_csv, read_one) -> None:
    """Who has uncertainty, or a grid's name instead of a cloud's, must not have to drop it."""
    row = {"time": "2026-01-05T00:00:00Z", "zone": "DE", "accounting": "Location-based",
           "gco2e_per_kwh": "300", "kind": "Average", "factors": "direct",
           "low_gco2e_per_kwh": "290", "high_gco2e_per_kwh": "330",
           "basis": "Estimated"}  # fmt: skip
    later = {"time": "2026-01-05T01:00:00Z"}
    read = read_one(
        "carbon",
        write_csv(
            tmp_path / "c.csv",
            [
                row,
                {**row, **later, "low_gco2e_per_kwh": "301"},
                {**row, **later, "high_gco2e_per_kwh": "299"},
                {**row, **later, "zone": ""},
                {**row, **later, "gco2e_per_kwh": ""},
            ],
        ),
        LENIENT,
    )
    (kept,) = read.rows.to_pylist()
    assert (kept["low_gco2e_per_kwh"], kept["high_gco2e_per_kwh"]) == (290.0, 330.0)
    assert (kept["kind"], kept["basis"], kept["region"]) == ("average", "estimated", None)
    assert {code for code, _ in read.row_codes} == {
        "out_of_range", "repeated_row", "value_missing",
    }  # fmt: skip


def test_todays_files_read_as_before_and_in_silence(tmp_path, write_csv, read_one) -> None:
    """Seven notes a day about columns that nobody has would bury the one that matters."""
    row = {"time": "2026-01-05T00:00:00Z", "region": "eu-west-1", "accounting": "market",
           "gco2e_per_kwh": "12.5"}  # fmt: skip
    read = read_one("carbon", write_csv(tmp_path / "c.csv", [row]))
    assert (read.set_codes, read.row_codes, read.conformance) == ([], [], {})
    (kept,) = read.rows.to_pylist()
    assert (kept["region"], kept["gco2e_per_kwh"], kept["zone"]) == ("eu-west-1", 12.5, None)


def test_a_repeated_hour_is_set_aside(tmp_path, read_one) -> None:
    """The same hour twice in an answer would weigh twice."""
    rows = [HOUR, {**HOUR, "carbonIntensity": 1}]
    read = read_one("electricity_maps", saved(tmp_path / "em", {"data": rows}), LENIENT)
    assert {code for code, _ in read.row_codes} == {"repeated_row"}


@pytest.mark.parametrize("zone", ["DE", "SE", "CISO", "PJM", "ERCO"])
def test_real_grids_load_through_the_file_format(
    tmp_path, read_each, shared: Path, zone: str
) -> None:
    """Real series have float noise, times without a zone and years of hours in one file."""
    zones = {"CISO": "US-CAL-CISO", "PJM": "US-MIDA-PJM", "ERCO": "US-TEX-ERCO"}
    path = shared / "carbon" / "grids" / "data" / zone / f"{zone}_direct_emissions.parquet"
    if not path.exists():
        pytest.skip(f"{path.name} is not in the third-party data")
    frame = pq.read_table(path, columns=["UTC time", "carbon_intensity"]).to_pandas().head(72)
    times = pd.to_datetime(frame["UTC time"], utc=True, format="mixed")
    table = pa.table(
        {
            "time": pa.array(times, pa.timestamp("us", tz="UTC")),
            "zone": [zones.get(zone, zone)] * len(frame),
            "accounting": ["location"] * len(frame),
            "factors": ["direct"] * len(frame),
            "gco2e_per_kwh": frame["carbon_intensity"],
        }
    )
    pq.write_table(table, tmp_path / "grid.parquet")
    read = read_each("carbon", tmp_path / "grid.parquet")
    assert [one.landed.delivery.partition for one in read] == [
        date(2020, 1, 1), date(2020, 1, 2), date(2020, 1, 3),
    ]  # fmt: skip
    for one in read:
        assert (one.set_codes, one.row_codes) == ([], [])
    values = [value for one in read for value in one.rows["gco2e_per_kwh"].to_pylist()]
    assert sorted(values) == sorted(frame["carbon_intensity"])
