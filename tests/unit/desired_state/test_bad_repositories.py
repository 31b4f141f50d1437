"""Repositories as they should not be: each fault ends in a reason that a person can act on."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from finops_dagster.cli.main import app
from finops_dagster.desired_state import RepositoryIndex, index_files, open_directory
from finops_dagster.desired_state import open_repository as open_git
from finops_dagster.desired_state.nodes import MAX_NODES
from finops_dagster.desired_state.tree import MAX_FILE_BYTES
from finops_dagster.domain.errors import SettingsError
from finops_dagster.gitops.working_tree import set_value
from tests.builders import CPU, deployment, git

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def repository(folder: Path) -> Path:
    """A repository with one good manifest; what is bad is added by the test."""
    folder.mkdir()
    (folder / "w.yaml").write_bytes(deployment("w"))
    git(folder, "init", "-q", "-b", "main")
    return folder


def both(folder: Path) -> list[RepositoryIndex]:
    """The index at the commit and the one of the folder; the good manifest is in both."""
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "x")
    found = [open_git(folder), open_directory(folder)]
    assert all("Deployment/shop/w" in index.resources() for index in found)
    return found


def test_links_say_where_they_lead(tmp_path: Path) -> None:
    """Harm: a loop of links hangs the run, a link out of the tree reads what is not the
    repository's, and a folder behind a link is left out without a word.
    """
    work = repository(tmp_path / "work")
    (work / "loop").symlink_to("loop")
    (work / "sub").mkdir()
    (work / "sub" / "up").symlink_to("..")
    (work / "a.yaml").symlink_to("b.yaml")
    (work / "b.yaml").symlink_to("a.yaml")
    (work / "outside.yaml").symlink_to("../../etc/passwd")
    (work / "absolute").symlink_to("/etc")
    (work / "inside.yaml").symlink_to("w.yaml")
    for index in both(work):
        refused = index.refused()
        for name in ("loop", "sub/up"):
            assert "back to itself" in refused[name]
        for name in ("outside.yaml", "absolute"):
            assert "out of the repository" in refused[name]
        for name in ("a.yaml", "b.yaml", "inside.yaml"):
            assert "links are not followed, name the file itself" in refused[name]
        assert list(index.resources()) == ["Deployment/shop/w"]


def test_a_submodule_is_named_and_not_entered(tmp_path: Path) -> None:
    """Harm: another repository's files are edited as if they were this one's."""
    other = repository(tmp_path / "other")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "x")
    work = repository(tmp_path / "work")
    (work / "w.yaml").write_bytes(deployment("w", namespace="shop"))
    git(work, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "lib")
    for index in both(work):
        assert "a submodule" in index.refused()["lib"]
        assert list(index.resources()) == ["Deployment/shop/w"]


def test_carriage_returns_stay(tmp_path: Path) -> None:
    """Harm: an edit turns every line end, and the diff is the whole file."""
    work = repository(tmp_path / "work")
    data = deployment("win", cpu="2").replace(b"\n", b"\r\n")
    (work / "win.yaml").write_bytes(data)
    set_value(work, "Deployment/shop/win", CPU, "750m", open_index=open_directory)
    assert (work / "win.yaml").read_bytes() == data.replace(b"cpu: 2 ", b"cpu: 750m ")


def test_a_byte_order_mark_stays(tmp_path: Path) -> None:
    """Harm: the bytes are counted from the wrong place, and another value is overwritten."""
    work = repository(tmp_path / "work")
    data = b"\xef\xbb\xbf" + deployment("bom", cpu="2")
    (work / "bom.yaml").write_bytes(data)
    set_value(work, "Deployment/shop/bom", CPU, "750m", open_index=open_directory)
    assert (work / "bom.yaml").read_bytes() == data.replace(b"cpu: 2 ", b"cpu: 750m ")


BOMB = b"a: &a [[],[],[],[],[],[],[],[],[],[]]\n" + b"".join(
    b"%c: &%c [%s]\n" % (c, c, b",".join([b"*%c" % (c - 1)] * 10)) for c in range(98, 108)
)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"kind: Pod\n\tspec: {}\n", "line 2 is indented with a tab: YAML takes spaces only"),
        (b"a: \xe9t\xe9\n", "not UTF-8 (a byte on line 1): save it as UTF-8"),
        ("a: 1\n".encode("utf-16"), "not UTF-8 (UTF-16)"),
        (b"a: 1\nb: \x00\n", "a NUL byte on line 2"),
        (b"a: [1\nb: 2\n", "line 2, column"),
        (b"[" * 500_000, "too large: line 1: nested deeper than 100 levels"),
        (b"a0: &a0 [1]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1)
                                     for i in range(1, 5000)), "nested deeper than 100 levels"),
        (BOMB, f"more than {MAX_NODES} values in one document: split it"),
        (BOMB.partition(b"f:")[0].replace(b"a: &a", b"---\na: &a") * 100, "values in one file"),
        (b"---\n# nothing\n" * 60_000, "values in one file: split it"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n", "Git LFS pointer"),
        (b"", "nothing is written in it"),
        (b"---\n# nothing\n", "nothing is written in it"),
        (b"just words", "not a Kubernetes manifest"),
    ],
)  # fmt: skip
def test_unreadable_manifests_say_what_to_do(data: bytes, reason: str) -> None:
    """Harm: one hostile file takes the run's time or memory, or its owner is not told which."""
    start = time.monotonic()
    index = index_files({"bad.yaml": data, "w.yaml": deployment("w")})
    assert reason in index.refused()["bad.yaml"]
    assert list(index.resources()) == ["Deployment/shop/w"]
    assert time.monotonic() - start < 20


def test_duplicate_keys_are_read_and_not_edited() -> None:
    """Harm: of two values that say different things, the one that does not count is edited."""
    data = deployment("w").replace(
        b"  replicas:   3   # as agreed\n", b"  replicas: 3\n  replicas: 4\n"
    )
    location = index_files({"w.yaml": data}).locate("Deployment/shop/w", "spec.replicas")
    assert location is not None
    assert (location.value, location.editable) == ("4", False)
    assert "'replicas' is written twice" in location.reason


def test_five_megabytes_are_read_in_bounded_time_or_refused(tmp_path: Path) -> None:
    """Harm: a bundle of generated manifests stops every decision of the day."""
    head = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: big, namespace: shop}\ndata:\n"
    line = b"  key-%06d: " + b"a value of some length, as bundles have, " * 9 + b"\n"
    rows = (MAX_FILE_BYTES - len(head)) // len(line % 0)
    start = time.monotonic()
    index = index_files({"big.yaml": head + b"".join(line % i for i in range(rows))})
    assert sum(1 for _ in index.locations()) > rows
    assert time.monotonic() - start < 60
    (tmp_path / "huge.yaml").write_bytes(b"#" * (MAX_FILE_BYTES + 1))
    assert "larger than 5,000,000 bytes" in open_directory(tmp_path).refused()["huge.yaml"]


def test_names_that_break_terminals_and_diffs_are_refused(tmp_path: Path) -> None:
    """Harm: a file's name forges a line of a diff, or ends the answer with an error."""
    work = repository(tmp_path / "work")
    for raw in (b"new\nline.yaml", b"esc\x1b[31m.yaml", b"latin-\xe9.yaml"):
        Path(os.fsdecode(os.fsencode(work) + b"/" + raw)).write_bytes(deployment("x"))
    for index in both(work):
        reasons = sorted(index.refused().values())
        assert reasons == [
            "its name holds control characters: rename it",
            "its name holds control characters: rename it",
            "its name is not UTF-8: rename it",
        ]
        assert all(name.isprintable() for name in index.refused())
    done = CliRunner().invoke(app, ["desired-state", "index", str(work), "--json"])
    assert done.exit_code == 0


def test_a_repository_without_the_commit_says_what_is_there(tmp_path: Path) -> None:
    """Harm: `HEAD` is not found, and nobody knows if path, branch or push is wrong."""
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "-q", "--bare", str(bare)], check=True)
    with pytest.raises(SettingsError) as empty:
        open_git(bare)
    assert "no commit yet: push a branch" in empty.value.faults[0].hint
    work = repository(tmp_path / "work")
    both(work)
    with pytest.raises(SettingsError) as absent:
        open_git(work, "release")
    assert absent.value.faults[0].hint.endswith("branches there: main.")
    with pytest.raises(SettingsError) as none:
        open_git(tmp_path, "main")
    assert "is no Git repository" in none.value.faults[0].hint


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not on this machine")
@pytest.mark.parametrize(
    "name",
    [
        "gitops/flux2_kustomize_helm_example",
        "gitops/microservices_demo",
        "field_samples",
        "policy/gatekeeper_library",
    ],
)
def test_every_manifest_is_indexed_or_refused(name: str) -> None:
    """Harm: a manifest that nobody mentions is one that nobody looks after."""
    root = SHARED / name
    index = open_directory(root)
    told: dict[str, set[str]] = {}
    for location in index.locations():
        told.setdefault(location.file, set()).add(location.reason)
        assert location.reason or location.editable
    for resource in index.resources().values():
        assert resource.file in told
    manifests = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*")
        if path.suffix in (".yaml", ".yml", ".json")
    }
    assert manifests
    assert manifests <= told.keys()
    assert all(index.refused().values())
