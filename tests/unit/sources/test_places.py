"""Deliveries read from an S3 server, a web server and fsspec's own store in memory."""

from __future__ import annotations

import functools
import http.server
import itertools
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError, Unavailable
from finops_dagster.sources import FileSource, open_source
from finops_dagster.sources.remote import masked
from tests.unit.sources.places import azure, data_export, source, text

DATA = "exports/focus/data/BILLING_PERIOD=2025-01"


def rows(place: FileSource) -> list[int]:
    counts = []
    for delivery in place.deliveries():
        with place.read(delivery) as result:
            table, aside = result.rows.read_all(), result.quarantine.read_all()
            assert aside.num_rows == 0
            assert result.landed.set_faults == ()
            counts.append(table.num_rows)
    return counts


def mirrored(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*/files/**/*") if path.is_file())


@pytest.mark.parametrize("url", ["s3://bills", "s3://bills/exports/", "s3://bills/exports/focus"])
def test_an_export_is_read_from_s3(s3, tmp_path, charge, url) -> None:
    """Only what its manifest lists is copied, wherever in the bucket the source begins."""
    s3.put({f"{DATA}/a.csv": text([charge()]), f"{DATA}/left.csv": text([charge()] * 2)})
    s3.put(data_export("2025-01", ["a.csv"]))
    assert rows(source(url, tmp_path)) == [1]
    assert mirrored(tmp_path) == ["a.csv", "focus-Manifest.json"]


def test_one_object_is_a_source(s3, tmp_path, charge) -> None:
    """A single bill in a bucket must not be looked for inside of itself."""
    s3.put({"bill.csv": text([charge(), charge(ResourceId="i-2")])})
    place = source("s3://bills/bill.csv", tmp_path)
    assert rows(place) == [2]
    assert place.place.shown("bill.csv") == "s3://bills/bill.csv"


def test_what_is_unchanged_is_not_copied_again(s3, tmp_path, charge, monkeypatch) -> None:
    """Thirteen months of a bill through the network on every run cost money and hours."""
    s3.put({f"{DATA}/a.csv": text([charge()])} | data_export("2025-01", ["a.csv"]))
    (first,) = source("s3://bills", tmp_path).deliveries()
    assert rows(source("s3://bills", tmp_path)) == [1]
    again = source("s3://bills", tmp_path)
    (delivery,) = again.deliveries()
    assert delivery == first

    def refuse(*_: object) -> None:
        raise AssertionError("it was copied again")

    monkeypatch.setattr(again.place._files, "get_file", refuse)
    with again.read(delivery) as result:
        assert result.rows.read_all().num_rows == 1


def test_a_delivery_that_comes_during_a_run_waits_for_the_next(s3, tmp_path, charge) -> None:
    """A run reads what it listed, and the next one what came meanwhile: never some of both."""
    s3.put({f"{DATA}/a.csv": text([charge()])} | data_export("2025-01", ["a.csv"]))
    running = source("s3://bills", tmp_path)
    listed = list(running.deliveries())
    february = DATA.replace("2025-01", "2025-02")
    later = {
        "BillingPeriodStart": "2025-02-01T00:00:00Z",
        "BillingPeriodEnd": "2025-03-01T00:00:00Z",
    }
    s3.put({f"{february}/b.csv": text([charge(**later)])} | data_export("2025-02", ["b.csv"]))
    for delivery in listed:
        with running.read(delivery) as result:
            assert result.rows.read_all().num_rows == 1
    assert len(listed) == 1
    assert rows(source("s3://bills", tmp_path)) == [1, 1]


def test_a_delivery_written_over_during_a_run_is_not_mixed(s3, tmp_path, charge) -> None:
    """Two deliveries race for the same names: the run reads one of them whole, or neither."""
    s3.put({f"{DATA}/{n}.csv": text([charge(ResourceId=n)]) for n in "ab"})
    s3.put(data_export("2025-01", ["a.csv", "b.csv"]))
    running = source("s3://bills", tmp_path)
    (listed,) = running.deliveries()
    s3.put({f"{DATA}/b.csv": text([charge(ResourceId="restated", BilledCost="9")])})
    with pytest.raises(Unavailable) as raised:
        running.read(listed)
    assert [fault.code for fault in raised.value.faults] == ["file_changed"]
    assert raised.value.faults[0].file == f"s3://bills/{DATA}/b.csv"
    s3.put(data_export("2025-01", ["a.csv", "b.csv"]))
    (after,) = source("s3://bills", tmp_path).deliveries()
    assert after.delivery_id != listed.delivery_id
    assert rows(source("s3://bills", tmp_path)) == [2]


def test_files_newer_than_their_manifest_are_the_next_delivery(s3, tmp_path, charge) -> None:
    """Half written over, an export is no bill of any day; its manifest comes last."""
    s3.put({f"{DATA}/a.csv": text([charge()])} | data_export("2025-01", ["a.csv"]))
    place = source("s3://bills", tmp_path)
    (delivery,) = place.deliveries()
    entries = place.place.entries()
    (manifest,) = (path for path in entries if path.name.endswith("Manifest.json"))
    old = type(entries[manifest])(entries[manifest].size, datetime(2025, 1, 1, tzinfo=UTC),
                                  entries[manifest].mark)  # fmt: skip
    place.place.entries = lambda: {**entries, manifest: old}  # type: ignore[method-assign]
    (delivery,) = place.deliveries()
    with pytest.raises(Unavailable) as raised:
        place.read(delivery)
    assert [fault.code for fault in raised.value.faults] == ["delivery_unfinished"]
    assert raised.value.faults[0].file == f"s3://bills/{DATA}/a.csv"


def test_a_file_that_vanishes_during_a_run_is_named(s3, tmp_path, charge) -> None:
    """A bill must not be short of it; from the next listing on the delivery is refused."""
    s3.put({f"{DATA}/{n}.csv": text([charge(ResourceId=n)]) for n in "ab"})
    s3.put(data_export("2025-01", ["a.csv", "b.csv"]))
    running = source("s3://bills", tmp_path)
    (listed,) = running.deliveries()
    s3.delete(f"{DATA}/b.csv")
    with pytest.raises(Unavailable) as raised:
        running.read(listed)
    assert [fault.code for fault in raised.value.faults] == ["file_vanished"]
    assert raised.value.faults[0].file == f"s3://bills/{DATA}/b.csv"
    (left,) = source("s3://bills", tmp_path).deliveries()
    with source("s3://bills", tmp_path).read(left) as result:
        assert result.rows.read_all().num_rows == 0
        result.quarantine.read_all()
        assert [fault.code for fault in result.landed.set_faults] == ["file_missing"]


def test_a_file_gone_from_the_store_is_not_read_from_its_copy(s3, tmp_path, charge) -> None:
    """Copied before and deleted since, it would stand in for what the manifest lists in vain."""
    s3.put({f"{DATA}/{n}.csv": text([charge(ResourceId=n)]) for n in "ab"})
    s3.put(data_export("2025-01", ["a.csv", "b.csv"]))
    assert rows(source("s3://bills", tmp_path)) == [2]
    s3.delete(f"{DATA}/b.csv")
    place = source("s3://bills", tmp_path)
    (left,) = place.deliveries()
    with place.read(left) as result:
        assert [fault.code for fault in result.set_faults] == ["file_missing"]


def test_copies_stay_within_their_bound(s3, tmp_path, charge, monkeypatch) -> None:
    """Years of kept versions would fill the disk; what is read now is never dropped."""
    monkeypatch.setattr("finops_dagster.sources.mirror._IN_USE_SECONDS", -60)
    months = ("2025-01", "2025-02", "2025-03", "2025-04")
    for month, after in itertools.pairwise(months):
        of = {"BillingPeriodStart": f"{month}-01", "BillingPeriodEnd": f"{after}-01"}
        body = text([charge(**of, ResourceId="x" * 4000)])
        s3.put({f"{DATA.replace('2025-01', month)}/{month}.csv": body})
        s3.put(data_export(month, [f"{month}.csv"]))
    assert rows(source("s3://bills", tmp_path, mirror_bytes=6000)) == [1, 1, 1]
    copies = [name for name in mirrored(tmp_path) if name.endswith(".csv")]
    assert copies == ["2025-03.csv"]
    assert rows(source("s3://bills", tmp_path, mirror_bytes=6000)) == [1, 1, 1]


def test_what_a_killed_copy_left_is_cleared(s3, tmp_path, charge) -> None:
    """Half a file under a hidden name takes its room for ever."""
    s3.put({"a.csv": text([charge()])})
    assert rows(source("s3://bills", tmp_path)) == [1]
    (folder,) = tmp_path.iterdir()
    left = folder / "parts" / "half"
    left.write_bytes(b"half")
    s3.put({"b.csv": text([charge(ResourceId="i-2")])})
    assert rows(source("s3://bills", tmp_path)) == [2]
    assert not left.exists()


def test_a_full_disk_is_told_before_anything_is_copied(s3, tmp_path, charge, monkeypatch) -> None:
    """An error of the operating system names no place and no way out."""
    s3.put({"a.csv": text([charge()])})
    usage = type("Usage", (), {"free": 3})
    monkeypatch.setattr("finops_dagster.sources.mirror.shutil.disk_usage", lambda _: usage)
    with pytest.raises(Unavailable) as raised:
        rows(source("s3://bills", tmp_path))
    assert [fault.code for fault in raised.value.faults] == ["disk_full"]
    assert "state_dir" in raised.value.faults[0].hint
    monkeypatch.undo()


def test_no_bucket_and_no_server_need_different_help(s3, tmp_path, monkeypatch) -> None:
    """Whoever misspelt a bucket must not be sent to look for the network."""
    with pytest.raises(Unavailable) as raised:
        rows(source("s3://no-such-bucket/x", tmp_path))
    assert raised.value.faults[0].code == "source_missing"
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with pytest.raises(Unavailable) as raised:
        rows(source("s3://bills", tmp_path))
    assert raised.value.faults[0].code == "source_unreachable"
    assert "AWS_ENDPOINT_URL" in raised.value.faults[0].hint


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server of a folder, and the folder."""
    folder = tmp_path / "web" / "deliveries"
    folder.mkdir(parents=True)

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(folder.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/deliveries/", folder
        server.shutdown()


def test_deliveries_are_read_from_a_web_server(web, tmp_path, charge) -> None:
    """Its pages link to them, with names quoted as URLs are."""
    url, folder = web
    data = folder / "billing_period=2025-01-01" / "a b"
    data.mkdir(parents=True)
    (data / "part.csv").write_bytes(text([charge()]))
    (folder / "notes.txt").write_text("no bill")
    place = source(url, tmp_path)
    (delivery,) = place.deliveries()
    assert [str(file.path) for file in delivery.files] == ["billing_period=2025-01-01/a b/part.csv"]
    assert rows(place) == [1]
    (data / "part.csv").write_bytes(text([charge(), charge(ResourceId="i-2")]))
    (restated,) = place.deliveries()
    assert restated.delivery_id != delivery.delivery_id
    assert rows(place) == [2]


def test_a_file_of_a_web_server_is_read_and_its_query_is_never_shown(
    web, tmp_path, charge, caplog
) -> None:
    """A signed URL is a password: it must be in no log, no error and no record."""
    url, folder = web
    (folder / "bill.csv").write_bytes(text([charge()]))
    place = source(f"{url}bill.csv?X-Amz-Signature=secret", tmp_path)
    assert rows(place) == [1]
    lost = source(f"{url}lost.csv?X-Amz-Signature=secret", tmp_path)
    with pytest.raises(Unavailable) as raised:
        rows(lost)
    assert raised.value.faults[0].code == "source_missing"
    told = [str(raised.value), repr(raised.value.faults), caplog.text, place.where]
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert not any("secret" in text for text in told)


def test_other_stores_go_the_same_way(tmp_path, charge) -> None:
    """gs:// and az:// need accounts: fsspec's store in memory stands in for them."""
    import fsspec

    store = fsspec.filesystem("memory")
    folder = "daily/20250101-20250131/run"
    body = azure(folder, ["part.csv"], "2025-01-05T06:00:00Z")
    store.pipe({f"/container/{folder}/part.csv": text([charge()]),
                f"/container/{folder}/manifest.json": body})  # fmt: skip
    try:
        assert rows(source("memory://container", tmp_path)) == [1]
        assert rows(source(f"memory://container/{folder}/part.csv", tmp_path)) == [1]
    finally:
        store.rm("/container", recursive=True)


@pytest.mark.parametrize("scheme", ["s3", "gs", "gcs", "az", "abfs", "abfss", "http", "https"])
def test_every_scheme_of_the_settings_has_its_client(scheme) -> None:
    """A scheme whose client is not installed fails at night, in front of nobody."""
    import fsspec

    from finops_dagster.settings.types import PLACE_SCHEMES

    assert scheme in PLACE_SCHEMES
    assert fsspec.get_filesystem_class(scheme)


def test_secrets_in_urls_are_masked() -> None:
    """Clients put whole URLs into their errors."""
    text = "GET https://u:pw@host/a?sig=abc&x=1 failed, see s3://bucket/key"
    assert masked(text) == "GET https://host/a?... failed, see s3://bucket/key"


def test_a_url_needs_a_folder_for_copies() -> None:
    """Copies in a folder that nobody named are never cleared."""
    with pytest.raises(SettingsError):
        open_source("focus", "src", "s3://bills")


def test_a_full_scratch_disk_is_told_as_such(tmp_path, charge, monkeypatch) -> None:
    """DuckDB's own words name a file that is gone by then, and no way out."""
    import duckdb

    (tmp_path / "bill.csv").write_bytes(text([charge()]))
    place = open_source("focus", "src", tmp_path)
    (delivery,) = place.deliveries()

    def full(*_: object) -> None:
        raise duckdb.IOException('IO Error: Could not write file "x": No space left on device')

    with monkeypatch.context() as patch:
        patch.setattr("finops_dagster.sources.source.read_delivery", full)
        with pytest.raises(Unavailable) as raised:
            place.read(delivery)
    assert [fault.code for fault in raised.value.faults] == ["disk_full"]
    assert rows(place) == [1]

    def broken(*_: object) -> None:
        raise duckdb.InternalException("a fault of our own")

    monkeypatch.setattr("finops_dagster.sources.source.read_delivery", broken)
    with pytest.raises(duckdb.InternalException) as own:
        place.read(delivery)
    assert own.value.__cause__ is None
