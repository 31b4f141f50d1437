"""A file is there whole or not at all, whatever becomes of disk and process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.errors import Unavailable
from finops_dagster.storage.files import atomically, write_parquet

SCHEMA = pa.schema([("a", pa.int64())])
FULL = Path("/dev/full")
"""Every write to it fails as on a full disk. Only opened, never given as a path: what writes files
may remove or rename over a path, and with enough rights that would be the device itself."""

needs_full = pytest.mark.skipif(not FULL.exists(), reason="this system has no /dev/full")


def batches(count: int) -> pa.RecordBatchReader:
    return pa.RecordBatchReader.from_batches(
        SCHEMA, [pa.record_batch([[n]], schema=SCHEMA) for n in range(count)]
    )


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def by_python(_: Path) -> None:
    with FULL.open("wb", buffering=0) as file:
        file.write(b"x")


def by_arrow(_: Path) -> None:
    with FULL.open("wb", buffering=0) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        writer.write_table(pa.table({"a": list(range(100_000))}))


def by_duckdb(_: Path) -> None:
    # in its own words: it takes paths alone
    raise duckdb.IOException('IO Error: Could not write file "x": No space left on device')


@needs_full
@pytest.mark.parametrize("write", [by_python, by_arrow, by_duckdb])
def test_a_full_disk_leaves_the_old_file_and_says_what_to_do(tmp_path: Path, write) -> None:
    """Half a bill under its own name would be taken for the whole; errno 28 helps nobody."""
    path = tmp_path / "charges.parquet"
    path.write_bytes(b"before")
    with pytest.raises(Unavailable) as raised:
        atomically(path, write)
    assert [fault.code for fault in raised.value.faults] == ["disk_full"]
    assert str(tmp_path) in raised.value.message
    assert "state_dir" in raised.value.faults[0].hint
    assert path.read_bytes() == b"before"
    assert names(tmp_path) == ["charges.parquet"]


def test_a_disk_that_fills_in_mid_write_is_mended_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first row groups are on disk by then: they must go, and the same call must do."""
    path = tmp_path / "charges.parquet"
    written = 0
    write_table = pq.ParquetWriter.write_table

    def fills(writer: pq.ParquetWriter, table: pa.Table, *rest: object) -> None:
        nonlocal written
        written += 1
        if written > 2:
            raise OSError(28, "No space left on device")
        write_table(writer, table, *rest)

    with monkeypatch.context() as full:
        full.setattr(pq.ParquetWriter, "write_table", fills)
        with pytest.raises(Unavailable):
            write_parquet(path, batches(5), SCHEMA)
    assert written == 3
    assert names(tmp_path) == []
    assert write_parquet(path, batches(5), SCHEMA) == 5
    assert pq.read_table(path)["a"].to_pylist() == [0, 1, 2, 3, 4]


def test_a_source_that_breaks_while_read_ahead_leaves_nothing(tmp_path: Path) -> None:
    """It is read on a thread of its own: its fault must not be lost there, nor half a file stay."""

    def breaks() -> Iterator[pa.RecordBatch]:
        yield from batches(2)
        raise Unavailable("the files changed while they were read")

    path = tmp_path / "charges.parquet"
    with pytest.raises(Unavailable, match="changed while they were read"):
        write_parquet(path, pa.RecordBatchReader.from_batches(SCHEMA, breaks()), SCHEMA)
    assert names(tmp_path) == []


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    """Each kill in mid-write would keep its gigabytes under a hidden name for ever."""
    killed = (
        "import os, sys; from pathlib import Path\n"
        "from finops_dagster.storage.files import atomically\n"
        "def write(aside): aside.write_bytes(b'half'); os._exit(9)\n"
        f"atomically(Path({str(tmp_path / 'a.json')!r}), write)\n"
    )
    assert subprocess.run([sys.executable, "-c", killed], check=False).returncode == 9
    (left,) = names(tmp_path)
    assert left.startswith(".a.json.")
    (tmp_path / ".keep.aside.mine").write_text("somebody's own")
    atomically(tmp_path / "b.json", lambda aside: aside.write_text("whole"))
    assert names(tmp_path) == [".keep.aside.mine", "b.json"]


def test_what_another_process_is_writing_is_left_alone(tmp_path: Path) -> None:
    """Clearing must not take the file from under a run that goes on beside this one."""

    def write(aside: Path) -> None:
        aside.write_text("outer")
        # a writer of the same folder, while this one is at it
        other = "from pathlib import Path\nfrom finops_dagster.storage.files import atomically\n"
        other += f"atomically(Path({str(tmp_path / 'b')!r}), lambda a: a.write_text('inner'))\n"
        subprocess.run([sys.executable, "-c", other], check=True)

    atomically(tmp_path / "a", write)
    assert (tmp_path / "a").read_text() == "outer"
    assert names(tmp_path) == ["a", "b"]
