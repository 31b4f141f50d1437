"""Publications: one atomic switch, immutable versions, and no knowledge from later."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.storage.publication import PublicationStore, Version

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
DAY = date(2026, 3, 1)


def warehouse(path: Path, amount: str = "1.25") -> Path:
    """A warehouse file with one mart of two days, rows in no order."""
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            f"""create table fct_costs as
            select * from (values
                (date '2026-03-01', 'b', {amount}::decimal(38, 20)),
                (date '2026-03-01', 'a', 2.5::decimal(38, 20)),
                (date '2026-03-02', 'a', 4::decimal(38, 20))
            ) as rows (day, team, amount)"""
        )
    return path


def export(store: PublicationStore, file: Path, known_at: datetime = NOW) -> list[Version]:
    return store.export(file, "fct_costs", "day", [DAY], known_at, {DAY: ["d1"]})


def test_same_rows_are_the_same_version(tmp_path: Path) -> None:
    """A re-run that makes a new version of the same rows would look like a restated bill."""
    store = PublicationStore(tmp_path / "published")
    first = export(store, warehouse(tmp_path / "w.duckdb"))
    again = export(store, warehouse(tmp_path / "w.duckdb"))
    changed = export(store, warehouse(tmp_path / "w.duckdb", "1.26"))
    assert first == again
    assert changed[0].sha256 != first[0].sha256


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    """Each run would add a manifest, and an id in a decision would mean nothing."""
    store = PublicationStore(tmp_path / "published")
    versions = export(store, warehouse(tmp_path / "w.duckdb"))
    first = store.publish(versions, NOW)
    again = store.publish(versions, NOW + timedelta(hours=1))
    assert again == first
    assert len(list((tmp_path / "published" / "manifests").iterdir())) == 1


def test_a_reader_keeps_its_manifest(tmp_path: Path) -> None:
    """A run that saw half of one publication and half of the next would decide on neither."""
    store = PublicationStore(tmp_path / "published")
    reader = store.reader(store.publish(export(store, warehouse(tmp_path / "w.duckdb")), NOW))
    store.publish(export(store, warehouse(tmp_path / "w.duckdb", "9")), NOW)
    frame = reader.frame("fct_costs", "select sum(amount) as total from mart")
    assert frame is not None
    assert str(frame["total"][0]).startswith("3.75")


def test_later_knowledge_is_not_used(tmp_path: Path) -> None:
    """A past day decided on a later publication would know its own future."""
    store = PublicationStore(tmp_path / "published")
    early = store.publish(export(store, warehouse(tmp_path / "w.duckdb")), NOW)
    later = NOW + timedelta(days=1)
    late = store.publish(export(store, warehouse(tmp_path / "w.duckdb", "3"), later), later)
    assert store.known_by(NOW) == early
    assert store.known_by(later) == late
    assert store.known_by(NOW - timedelta(seconds=1)) is None


def test_a_condition_reads_no_files(tmp_path: Path) -> None:
    """--where is typed by a person: it must not become a way to read the machine."""
    store = PublicationStore(tmp_path / "published")
    reader = store.reader(store.publish(export(store, warehouse(tmp_path / "w.duckdb")), NOW))
    assert len(reader.rows("fct_costs", "team = 'a'", 0)) == 1
    with pytest.raises(SettingsError, match="--where"):
        reader.rows("fct_costs", "team in (select content from read_text('/etc/hostname'))", 0)


def test_what_was_written_down_but_never_put_in_force_is_no_publication(tmp_path: Path) -> None:
    """Harm: after a kill a day is decided on a publication that nobody else ever saw."""
    store = PublicationStore(tmp_path / "published")
    first = store.publish(export(store, warehouse(tmp_path / "w.duckdb")), NOW)
    current = (store.root / "current.json").read_bytes()
    store.publish(export(store, warehouse(tmp_path / "w.duckdb", "9")), NOW)
    (store.root / "current.json").write_bytes(current)  # as if killed just before it
    assert store.known_by(NOW) == first
    third = store.publish(export(store, warehouse(tmp_path / "w.duckdb", "7")), NOW)
    assert third.sequence == first.sequence + 1
    assert sorted((store.root / "manifests").iterdir())[1:] == [
        store.root / "manifests" / f"{third.sequence:08d}-{third.id}.json"
    ]


def test_a_whole_mart_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    """Harm: what was told yesterday stands beside what is told today: each row is there twice."""
    store = PublicationStore(tmp_path / "published")
    held = store.publish(export(store, warehouse(tmp_path / "a.duckdb")), NOW)
    (version,) = held.versions
    later = version.model_copy(update={"partition": version.partition + timedelta(days=1)})
    assert store.publish([later], NOW, whole=True).versions == (later,)
    assert len(store.publish([version], NOW).versions) == 2
