"""The proof of the ledger: what is done to its file is found, and the first broken link named."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_dagster.domain.errors import Stopped
from finops_dagster.storage.audit import Broken, verify
from finops_dagster.storage.ledger import Entry, Head, Ledger

NOW = datetime(2026, 3, 2, 6, tzinfo=UTC)
COUNT = 6


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    ledger = Ledger(tmp_path_factory.mktemp("ledger"))
    for number in range(1, COUNT + 1):
        ledger.append("finding", [(f"finding-{number}", {"é": number, "x": [0.1, "a"]})], NOW)
    return ledger


@pytest.fixture
def ledger(original: Ledger, tmp_path: Path) -> Ledger:
    shutil.copytree(original.root, tmp_path / "copy")
    return Ledger(tmp_path / "copy")


def lines_of(ledger: Ledger) -> list[bytes]:
    return ledger.path.read_bytes().splitlines(keepends=True)


def broken(ledger: Ledger) -> tuple[int, str, str]:
    found = verify(ledger).broken
    assert found is not None
    return found.sequence, found.id, found.what


def rewritten(lines: list[bytes], start: int) -> list[bytes]:
    """Lines from `start` (0-based) on as a forger who knows the format writes them anew."""
    done = lines[:start]
    for line in lines[start:]:
        entry = json.loads(line)
        entry["sequence"] = len(done) + 1
        entry["previous"] = json.loads(done[-1])["hash"] if done else "0" * 64
        names = ("sequence", "kind", "id", "recorded_at", "payload", "previous")
        entry["hash"] = Entry.digest(*(entry[name] for name in names))
        text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        done.append(f"{text}\n".encode())
    return done


def test_a_chain_that_was_let_be_holds(ledger: Ledger) -> None:
    """Harm: an auditor is told of a fault where there is none."""
    found = verify(ledger)
    assert (found.entries, found.broken, found.notes) == (COUNT, None, ())
    assert found.head == ledger.head() == ledger.witnessed()


@settings(
    max_examples=150, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.data())
def test_any_changed_byte_is_found_and_its_entry_named(ledger: Ledger, data: st.DataObject) -> None:
    """Harm: one figure of one decision is changed and every check still passes."""
    lines = lines_of(ledger)
    whole = b"".join(lines)
    at = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda one: one != whole[at]))
    try:
        ledger.path.write_bytes(whole[:at] + bytes([byte]) + whole[at + 1 :])
        sequence, _, _ = broken(ledger)
    finally:
        ledger.path.write_bytes(whole)
    assert sequence == whole[:at].count(b"\n") + 1


@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1))
def test_lines_taken_out_swapped_doubled_or_cut_off_are_found(
    ledger: Ledger, first: int, other: int
) -> None:
    """Harm: a decision disappears, or its place in time does."""
    lines = lines_of(ledger)
    low, high = sorted((first, other))
    ids = [json.loads(line)["id"] for line in lines]
    try:
        ledger.path.write_bytes(b"".join(lines[:first] + lines[first + 1 :]))
        last = first == COUNT - 1
        assert broken(ledger) == (first + 1, "", "truncated" if last else "removed")

        ledger.path.write_bytes(b"".join(lines[: first + 1] + lines[other:]))
        if other <= first:
            assert broken(ledger) == (first + 2, ids[other], "inserted")

        swapped = [*lines]
        swapped[low], swapped[high] = swapped[high], swapped[low]
        ledger.path.write_bytes(b"".join(swapped))
        if low != high:
            assert broken(ledger) == (low + 1, ids[low], "reordered")

        ledger.path.write_bytes(b"".join(lines[:first]))
        assert broken(ledger) == (first + 1, "", "truncated")

        ledger.path.write_bytes(b"".join(lines[:first]) + lines[first][: other + 1])
        assert broken(ledger) == (first + 1, "", "truncated")
    finally:
        ledger.path.write_bytes(b"".join(lines))


def test_an_entry_that_was_written_anew_is_named_by_what_follows(ledger: Ledger) -> None:
    """Harm: a forger who knows the hash changes one entry, and the innocent one after is blamed."""
    lines = lines_of(ledger)
    changed = lines[2].replace(b'"x":[0.1,', b'"x":[9.9,')
    lines[2] = rewritten([*lines[:2], changed], 2)[2]
    ledger.path.write_bytes(b"".join(lines))
    assert broken(ledger) == (3, "finding-3", "changed")


def test_a_tail_written_anew_is_found_by_the_head_beside_it(ledger: Ledger) -> None:
    """Harm: the end of the chain is replaced by a history that fits."""
    lines = lines_of(ledger)
    del lines[3]
    ledger.path.write_bytes(b"".join(rewritten(lines, 3)))
    assert broken(ledger) == (COUNT, "", "truncated")
    ledger.path.write_bytes(b"".join(rewritten([*lines, lines[0]], 3)))
    assert broken(ledger)[::2] == (COUNT, "changed")


def test_a_chain_written_anew_with_its_head_is_found_by_its_witnesses(ledger: Ledger) -> None:
    """Harm: who can write to the folder replaces all of it, head included."""
    noted = {"#4": str(ledger.head()), "#1": lines_of(ledger)[1][9:73].decode()}
    assert verify(ledger, noted).witnesses == 2
    lines = rewritten(lines_of(ledger)[:-1], 0)
    ledger.path.write_bytes(b"".join(lines))
    last = json.loads(lines[-1])
    ledger.head_path.write_text(Head(sequence=COUNT - 1, hash=last["hash"]).model_dump_json())
    assert verify(ledger).broken is None
    found = verify(ledger, noted)
    assert found.broken == Broken(
        COUNT, "", "truncated", f"#4 bears witness to {noted['#4'][2:14]}"
    )
    assert found.witnesses == 1


def test_a_head_that_cannot_be_read_is_a_fault(ledger: Ledger) -> None:
    """Harm: the proof of the end is made unreadable, and taken for one of an older version."""
    ledger.head_path.write_text("{}")
    assert broken(ledger) == (COUNT, f"finding-{COUNT}", "changed")
    with pytest.raises(Stopped):
        ledger.append("finding", [("z", {})], NOW)


def test_a_chain_without_a_head_holds_with_a_note_and_gets_one(ledger: Ledger) -> None:
    """Harm: a ledger of an older version is called forged, or its end stays unproven for ever."""
    ledger.head_path.unlink()
    found = verify(ledger)
    assert (found.entries, found.broken) == (COUNT, None)
    assert "No head is kept" in found.notes[0]
    assert ledger.append("finding", [("finding-1", {})], NOW) == 0
    assert verify(ledger).notes == ()


def test_nothing_is_appended_to_a_chain_that_was_cut(ledger: Ledger) -> None:
    """Harm: the next run goes on behind the gap, and writes a head that hides it."""
    lines = lines_of(ledger)
    for data in (b"".join(lines[:-1]), b"".join(rewritten(lines[1:], 0)), b""):
        ledger.path.write_bytes(data)
        with pytest.raises(Stopped, match="ledger was changed"):
            ledger.append("finding", [("z", {})], NOW)
    ledger.path.unlink()
    with pytest.raises(Stopped):
        ledger.append("finding", [("z", {})], NOW)


def test_a_writer_killed_before_its_head_or_in_its_line_is_no_fault(ledger: Ledger) -> None:
    """Harm: after a power cut the ledger cannot be used, or is called forged."""
    head = ledger.head_path.read_bytes()
    ledger.append("finding", [("finding-7", {})], NOW)
    ledger.head_path.write_bytes(head)
    assert verify(ledger).broken is None
    assert "1 entries are newer than the head" in verify(ledger).notes[0]
    with ledger.path.open("ab") as file:
        file.write(b'{"hash":"0123')
    found = verify(ledger)
    assert (found.entries, found.broken) == (7, None)
    assert "torn" in found.notes[-1]
    assert ledger.append("finding", [("finding-7", {}), ("finding-8", {})], NOW) == 1
    found = verify(ledger)
    assert (found.entries, found.broken, found.notes) == (8, None, ())


def test_nothing_yet_holds_too(tmp_path: Path) -> None:
    """Harm: the first look at a new installation is an error."""
    found = verify(Ledger(tmp_path / "none"))
    assert (found.entries, found.broken, found.notes) == (0, None, ())
    assert str(Ledger(tmp_path / "none").head()) == ""
