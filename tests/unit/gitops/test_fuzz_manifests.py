"""Every manifest at hand, as it is and broken at random: one value, one hunk, or a reason."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from finops_dagster.desired_state import READ_SUFFIXES, RepositoryIndex, index_files
from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.domain.errors import Stopped
from finops_dagster.gitops.diffs import hunks, unified_diff
from finops_dagster.gitops.edits import plan_edit
from finops_dagster.gitops.verification import edit_value

TESTS = Path(__file__).resolve().parents[2]
SHARED = TESTS.parents[1] / "shared" / "data"
LARGEST = 40_000
"""Bytes of a file, above which its turn would take seconds."""

_BITS = [b"\t", b"\r\n", b"\n", b" ", b":", b"- ", b"#", b"'", b'"', b"{{ x }}", b"${a}", b"&a ",
         b"*a", b"|\n", b">-\n", b"---\n", b"!!binary ", b"!Ref x", b"<<: ", b"\xef\xbb\xbf",
         b"\x00", b"\xff", "ü\U0001f600\u2028".encode(), b"<<EOT\n", b"}", b"[", b"\\", b"0x1F",
         b"1e999", b"~", b"? ", b"=", b"@", b"%YAML 1.1\n"]  # fmt: skip


@cache
def manifests() -> tuple[tuple[str, bytes], ...]:
    """(name, bytes) of the repository's own samples and of all that is shared, sorted."""
    folders = [TESTS / "contract" / "desired_state", SHARED]
    found = {
        f"{folder.name}/{path.relative_to(folder).as_posix()}": path
        for folder in folders
        for path in (folder.rglob("*") if folder.is_dir() else ())
        if path.name.endswith(READ_SUFFIXES) and path.is_file() and not path.is_symlink()
    }
    return tuple(
        (name, path.read_bytes())
        for name, path in sorted(found.items())
        if path.stat().st_size <= LARGEST
    )


def values(index: RepositoryIndex) -> dict[tuple[str, str], str]:
    return {(one.resource, one.field): one.value for one in index.locations() if one.resource}


def another(value: str) -> str:
    """Something else of the same kind."""
    if value in {"true", "false"}:
        return "false" if value == "true" else "true"
    return f"7{value}" if value[:1].isdigit() else f"{value}x"


def check(name: str, data: bytes, chance: random.Random, edits: int) -> int:
    """How many values of a file were changed and found right; asserts of all the others too."""
    index = index_files({name: data})
    assert all(index.refused().values())
    done = 0
    locations = list(index.locations())
    for location in locations:
        assert location.editable is not bool(location.reason)
    for location in chance.sample(locations, min(edits, len(locations))):
        done += changed(index, location, data)
    return done


def changed(index: RepositoryIndex, location: ValueLocation, data: bytes) -> bool:
    for same in (location.value, another(location.value)):
        try:
            if same == location.value:
                plan_edit(location, same, data)
                raise AssertionError("an edit that changes nothing was planned")
            _, before, after = edit_value(index, location, same)
        except Stopped as refused:
            told(refused)
            continue
        assert before == data
        assert hunks(unified_diff(location.file, before, after)) == 1
        old, new = values(index), values(index_files({location.file: after}))
        differing = {key for key in old.keys() | new.keys() if old.get(key) != new.get(key)}
        assert {field for resource, field in differing if resource == location.resource} == {
            location.field
        }
        assert {resource for resource, _ in differing} <= {location.resource, *location.follows}
        return True
    return False


def told(refused: Stopped) -> None:
    """A refusal says why, and where."""
    assert refused.message
    assert all(fault.expected and fault.hint for fault in refused.faults)
    assert refused.faults


def broken(data: bytes, chance: random.Random) -> bytes:
    """Bytes of it taken away, put in, doubled, or cut off."""
    for _ in range(chance.randint(1, 4)):
        at, length = chance.randint(0, len(data)), chance.randint(0, 12)
        piece = chance.choice(
            [b"", chance.choice(_BITS), data[at : at + length] * 2, data[-at : -at + 30]]
        )
        data = data[:at] + piece + data[at + length :]
        if chance.random() < 0.02:
            data = data[:at]
    return data


def spread(count: int, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Every file once before any comes twice, in an order of its own."""
    known = manifests()
    order: list[tuple[str, bytes]] = []
    for _ in range(count):
        order = order or chance.sample(known, len(known))
        yield order.pop()


@pytest.mark.parametrize("edits", [4, pytest.param(500, marks=pytest.mark.conformance)])
def test_every_manifest_at_hand(edits: int) -> None:
    """Harm: on a file that nobody thought of an edit spills, or the run stops."""
    chance = random.Random(8)
    done = sum(check(name, data, chance, edits) for name, data in manifests())
    assert done > 20


@pytest.mark.parametrize("count", [2_000, pytest.param(40_000, marks=pytest.mark.conformance)])
def test_broken_manifests(count: int) -> None:
    """Harm: one damaged file in a repository of thousands ends the run for all of them."""
    chance = random.Random(88)
    done = 0
    for name, data in spread(count, chance):
        damaged = broken(data, chance)
        try:
            done += check(name, damaged, chance, 1)
        except Exception as error:
            raise AssertionError(f"{name}: {damaged!r}") from error
    assert done > 10


@pytest.mark.parametrize("rounds", [40, pytest.param(2_000, marks=pytest.mark.conformance)])
def test_an_index_that_changed_is_the_index_of_what_it_changed_to(rounds: int) -> None:
    """Harm: what was worked out before an edit hides that the edit now changes two resources."""
    chance = random.Random(888)
    repositories: dict[str, dict[str, bytes]] = {}
    for name, data in manifests():
        top, second, rest = name.split("/", 2)
        if top == "desired_state":
            repositories.setdefault(second, {})[rest] = data
    for _ in range(rounds):
        files = repositories[chance.choice(sorted(repositories))]
        index = index_files(files)
        changes = {
            name: broken(files[name], chance) if chance.random() < 0.7 else files[name] + b"\n"
            for name in chance.sample(sorted(files), min(2, len(files)))
        }
        if chance.random() < 0.5:
            copied = chance.choice(sorted(files))
            changes[f"new/{copied}"] = files[copied]
        anew = index_files({**files, **changes})
        derived = index.with_changes(changes)
        assert list(derived.locations()) == list(anew.locations())
        assert derived.resources() == anew.resources()
