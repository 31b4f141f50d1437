"""What providers' manifests say, believed: which files, which month, whose bill, and since when."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from finops_dagster.domain.errors import Unavailable
from finops_dagster.sources import FileSource, open_source
from tests.unit.sources.places import azure, data_export, report, text

JANUARY = ("20250101", "20250201")
MONTH = "20250101-20250131"


def put(root: Path, files: Mapping[str, bytes], at: int = 1_736_000_000) -> None:
    """Write files; `at`, seconds since 1970, is 2025-01-04 unless told."""
    for name, body in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        os.utime(path, (at, at))


def names(source: FileSource) -> list[list[str]]:
    return [[file.path.as_posix() for file in one.files] for one in source.deliveries()]


def at(root: Path) -> FileSource:
    return open_source("focus", "src", root)


def test_a_data_export_is_what_its_manifest_lists(tmp_path, charge, read_one) -> None:
    """A glob takes the chunk that an older, longer delivery left behind, and counts it again."""
    data = "exports/focus/data/BILLING_PERIOD=2025-01"
    put(tmp_path, {f"{data}/a.csv": text([charge()]), f"{data}/left.csv": text([charge()] * 2)})
    put(tmp_path, data_export("2025-01", ["a.csv"]), 1_736_000_500)
    for root in (tmp_path, tmp_path / "exports", tmp_path / "exports" / "focus"):
        read = read_one("focus", root)
        assert [f.path.name for f in read.landed.delivery.files] == ["a.csv"]
        assert read.rows.num_rows == 1
        assert read.landed.delivery.partition == date(2025, 1, 1)
        assert read.landed.delivery.known_at == datetime.fromtimestamp(1_736_000_500, UTC)


def test_executions_kept_are_deliveries_of_their_own(tmp_path, charge) -> None:
    """Where nothing is written over, each execution's folder says when it ran."""
    for hour, cost in ((3, "1"), (9, "2")):
        run = f"2025-01-05T0{hour}:00:00.123Z-0b1c"
        put(tmp_path, {f"e/data/BILLING_PERIOD=2025-01/{run}/e-1.csv": text([charge(
            BilledCost=cost)])})  # fmt: skip
        manifest = data_export(f"2025-01/{run}", ["e-1.csv"], "e")
        put(tmp_path, {f"e/metadata/BILLING_PERIOD=2025-01/{run}/e-Manifest.json": body
                       for body in manifest.values()})  # fmt: skip
    first, second = at(tmp_path).deliveries()
    assert (first.known_at.hour, second.known_at.hour) == (3, 9)
    assert first.files[0].path.parts[3].startswith("2025-01-05T03")


@pytest.mark.parametrize("assembly", ["", "1b2c"])
def test_a_report_is_what_its_manifest_lists(tmp_path, charge, read_one, assembly) -> None:
    """Overwritten or kept by assembly: the month is the manifest's; others' rows are set aside."""
    folder = f"cur/daily/20250101-20250201/{assembly}".rstrip("/")
    other = charge(BillingPeriodStart="2025-02-01T00:00:00Z", BilledCost="0", EffectiveCost="0")
    put(tmp_path, {f"{folder}/daily-1.csv": text([charge(), other])})
    put(tmp_path, {f"{folder}/daily-2.csv": text([charge(ResourceId="left")])})
    body = report(JANUARY, assembly, ["daily-1.csv"])
    put(tmp_path, {f"{folder}/daily-Manifest.json": body})
    if assembly:  # the newest one is told of above the folders of all
        put(tmp_path, {"cur/daily/20250101-20250201/daily-Manifest.json": body}, 1_736_000_100)
    for root in (tmp_path, tmp_path / "cur" / "daily", tmp_path / "cur/daily/20250101-20250201"):
        read = read_one("focus", root)
        assert read.landed.delivery.partition == date(2025, 1, 1)
        assert read.rows.num_rows == 1
        assert read.row_codes == [("other_partition", "billing_period_start")]


def test_a_report_in_parquet_lies_beside_its_months(tmp_path, charge) -> None:
    """Its status table lies there too, and is no bill."""
    put(tmp_path, {
        "cur/daily/daily/year=2025/month=1/daily-00001.csv": text([charge()]),
        "cur/daily/cost_and_usage_data_status/status.csv": b"status\ncomplete\n",
    })  # fmt: skip
    body = report(JANUARY, "", ["x"]).replace(
        b"cur/daily/20250101-20250201/x", b"cur/daily/daily/year=2025/month=1/daily-00001.csv"
    )
    put(tmp_path, {"cur/daily/20250101-20250201/daily-Manifest.json": body})
    for root in (tmp_path, tmp_path / "cur" / "daily"):
        ((only,),) = names(at(root))
        assert only.endswith("daily/year=2025/month=1/daily-00001.csv")


def test_the_newest_run_of_an_azure_export_is_in_force(tmp_path, charge, read_each) -> None:
    """Each run is the month to date as a whole: their sum is a bill many times too high."""
    for day, cost in ((5, "1"), (7, "2")):
        folder = f"root/daily/{MONTH}/2025010{day}0600/run-{day}"
        put(tmp_path, {f"{folder}/part_0_0001.csv": text([charge(BilledCost=cost)])})
        body = azure(folder, ["part_0_0001.csv"], f"2025-01-0{day}T06:00:00.1234567Z", rows=1)
        put(tmp_path, {f"{folder}/manifest.json": body})
    put(tmp_path, {f"root/daily/{MONTH}/202501080600/run-8/part_0_0001.csv": text([charge()])})
    read = read_each("focus", tmp_path)
    assert [one.landed.delivery.known_at.day for one in read] == [5, 7]
    assert [one.rows.num_rows for one in read] == [1, 1]
    assert all(one.landed.delivery.partition == date(2025, 1, 1) for one in read)


def test_scopes_are_added_and_each_counts_once(tmp_path, charge, read_each) -> None:
    """One subscription's new run must not push another's month out of the bill."""
    for scope, day in (("s1", 5), ("s2", 6), ("s1", 7)):
        folder = f"{scope}/daily/{MONTH}/run-{day}"
        put(tmp_path, {f"{folder}/part.csv": text([charge(BilledCost="1", ResourceId=folder)])})
        body = azure(
            folder, ["part.csv"], f"2025-01-0{day}T06:00:00Z", scope=f"/subscriptions/{scope}"
        )
        put(tmp_path, {f"{folder}/manifest.json": body})
    read = read_each("focus", tmp_path)
    assert [one.rows.num_rows for one in read] == [1, 2, 2]
    assert [len(one.landed.delivery.files) for one in read] == [1, 2, 2]
    assert "run-5" not in str(read[-1].landed.delivery.files)


def test_two_exports_of_the_same_charges_are_not_added(tmp_path, charge) -> None:
    """A daily and a monthly export of one subscription in one place would be billed twice."""
    for export in ("daily", "monthly"):
        folder = f"{export}/{MONTH}/run"
        put(tmp_path, {f"{folder}/part.csv": text([charge()])})
        body = azure(folder, ["part.csv"], "2025-01-05T06:00:00Z", export=export)
        put(tmp_path, {f"{folder}/manifest.json": body})
    with pytest.raises(Unavailable) as raised:
        names(at(tmp_path))
    assert raised.value.faults[0].code == "exports_overlap"
    assert "daily" in raised.value.message and "monthly" in raised.value.message
    assert len(names(at(tmp_path / "daily"))) == 1


def test_actual_and_amortised_cost_come_together(tmp_path, charge) -> None:
    """Each lacks what the other tells: their format takes both and counts each cost once."""
    for day, kind in ((5, "ActualCost"), (6, "AmortizedCost")):
        folder = f"{kind}/{MONTH}/run"
        put(tmp_path, {f"{folder}/part.csv": text([charge(ResourceId=kind)])})
        body = azure(folder, ["part.csv"], f"2025-01-0{day}T06:00:00Z", export=kind, kind=kind)
        put(tmp_path, {f"{folder}/manifest.json": body})
    assert [len(files) for files in names(at(tmp_path))] == [1, 2]


def test_older_azure_exports_without_a_manifest_are_snapshots(tmp_path, charge) -> None:
    """EXPORT_RUN.csv of each day beside the last one's: none is a part of another."""
    for day, seconds in ((1, 1_736_000_000), (2, 1_736_090_000)):
        name = f"daily_0000000{day}-1111-2222-3333-444444444444.csv"
        body = text([charge(BilledCost=str(day))])
        put(tmp_path, {f"daily/{MONTH}/{name}": body}, seconds)
    assert [len(files) for files in names(at(tmp_path))] == [1, 1]
    parts = {f"daily/20250201-20250228/run/{part}.csv": text([charge()]) for part in (1, 2)}
    put(tmp_path, parts)
    deliveries = list(at(tmp_path).deliveries())
    assert sorted(len(one.files) for one in deliveries) == [1, 1, 2]
    assert {one.partition for one in deliveries} == {date(2025, 1, 1), date(2025, 2, 1)}


def test_partitions_of_an_older_azure_export_are_one_delivery(tmp_path, charge) -> None:
    """`_manifest.json` begins as half-written files do, and is none."""
    body = b'{"manifestVersion":"2021-01-01","blobs":[{"blobName":"0.csv","dataRowCount":1},'
    body += b'{"blobName":"1.csv","dataRowCount":1}]}'
    folder = f"daily/{MONTH}/daily_run"
    put(tmp_path, {f"{folder}/{n}.csv": text([charge(ResourceId=str(n))]) for n in (0, 1, 2)})
    put(tmp_path, {f"{folder}/_manifest.json": body})
    assert names(at(tmp_path)) == [[f"{folder}/0.csv", f"{folder}/1.csv"]]


@pytest.mark.parametrize("layout", ["aws", "cur", "azure"])
def test_a_manifest_that_names_a_missing_file_refuses_its_delivery(
    tmp_path, charge, read_each, layout
) -> None:
    """A bill short of one file looks like a saving. The delivery before it stays as it was."""
    if layout == "aws":
        put(tmp_path, {"e/data/BILLING_PERIOD=2025-01/a.csv": text([charge()])})
        put(tmp_path, data_export("2025-01", ["a.csv", "gone.csv"], "e"))
    elif layout == "cur":
        put(tmp_path, {"cur/daily/20250101-20250201/x/a.csv": text([charge()])})
        body = report(JANUARY, "x", ["a.csv", "gone.csv"])
        put(tmp_path, {"cur/daily/20250101-20250201/x/daily-Manifest.json": body})
    else:
        folder = f"daily/{MONTH}/run"
        put(tmp_path, {f"{folder}/a.csv": text([charge()])})
        body = azure(folder, ["a.csv", "gone.csv"], "2025-01-05T06:00:00Z")
        put(tmp_path, {f"{folder}/manifest.json": body})
    (read,) = read_each("focus", tmp_path)
    assert read.set_codes == ["file_missing"]
    assert read.landed.set_faults[0].file.endswith("gone.csv")
    assert read.rows.num_rows == 0
    assert read.quarantine.num_rows == 2  # the row that came, and the file that did not


def test_a_short_blob_is_refused_by_its_manifest(tmp_path, charge, read_one) -> None:
    """Half an upload that ends at a line's end is a well-formed bill, and too low."""
    folder = f"daily/{MONTH}/run"
    put(tmp_path, {f"{folder}/a.csv": text([charge()])})
    put(tmp_path, {f"{folder}/manifest.json": azure(folder, ["a.csv"], "2025-01-05T06:00:00Z",
                                                    rows=2)})  # fmt: skip
    assert read_one("focus", tmp_path).set_codes == ["row_count_differs"]


def test_a_broken_manifest_refuses_one_delivery_and_not_the_place(
    tmp_path, charge, read_each
) -> None:
    """A run cut while its manifest was written must not hide the runs before it."""
    for day in (5, 6):
        folder = f"daily/{MONTH}/run-{day}"
        put(tmp_path, {f"{folder}/a.csv": text([charge(ResourceId=str(day))])}, 1_736_000_000 + day)
        body = azure(folder, ["a.csv"], f"2025-01-0{day}T06:00:00Z")
        put(tmp_path, {f"{folder}/manifest.json": body if day == 5 else body[:40]}, 1_736_200_000)
    good, bad = read_each("focus", tmp_path)
    assert (good.set_codes, bad.set_codes) == ([], ["manifest_unreadable"])


def test_a_manifest_of_something_else_is_left_alone(tmp_path, charge, read_one) -> None:
    """Many tools write a manifest.json; one that lists no export is not about these files."""
    put(tmp_path, {"manifest.json": b'{"name": "app"}', "a.csv": text([charge()])})
    assert read_one("focus", tmp_path).rows.num_rows == 1


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "a/../../b.csv"])
def test_a_manifest_cannot_lead_out_of_its_place(tmp_path, charge, read_one, key) -> None:
    """What a bucket's writer names is not to be read from this machine."""
    put(tmp_path, {"e/data/BILLING_PERIOD=2025-01/a.csv": text([charge()])})
    (body,) = data_export("2025-01", ["a.csv"], "e").values()
    listed = body.replace(b"s3://bills/e/data/BILLING_PERIOD=2025-01/a.csv", key.encode())
    put(tmp_path, {"e/metadata/BILLING_PERIOD=2025-01/e-Manifest.json": listed})
    read = read_one("focus", tmp_path)
    assert read.set_codes[0] in ("path_outside_source", "file_missing")
    assert read.rows.num_rows == 0


def test_what_restates_a_past_month_is_known_when_it_came(tmp_path, charge) -> None:
    """A correction of January sent in February was not known at the end of January."""
    for run, seconds in (("a", 1_738_000_000), ("b", 1_739_000_000)):  # 27 January, 8 February
        folder = f"cur/daily/20250101-20250201/{run}"
        put(tmp_path, {f"{folder}/daily-1.csv": text([charge(BilledCost=str(seconds))])}, seconds)
        body = report(JANUARY, run, ["daily-1.csv"])
        put(tmp_path, {f"{folder}/daily-Manifest.json": body}, seconds)
    known = [one.known_at for one in at(tmp_path).deliveries()]
    assert known == [datetime.fromtimestamp(s, UTC) for s in (1_738_000_000, 1_739_000_000)]


def test_a_manifest_may_list_files_of_any_name(tmp_path, charge, read_one) -> None:
    """What it lists is the delivery: an ending that nobody thought of is no missing file."""
    folder = f"daily/{MONTH}/run"
    put(tmp_path, {f"{folder}/part_0": text([charge()])})
    put(tmp_path, {f"{folder}/manifest.json": azure(folder, ["part_0"], "2025-01-05T06:00:00Z")})
    assert read_one("focus", tmp_path).rows.num_rows == 1
