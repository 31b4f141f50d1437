"""Small estates that the tests of the demo share, and a way to merge a change into one."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from finops_dagster.demo import create
from finops_dagster.demo.repository import git

SEED = 7
DAYS = 36


def digests(root: Path) -> dict[str, str]:
    """SHA-256 of every file under `root`, by relative path."""
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def merge(
    repository: Path, path: str, change: Callable[[str], str | None], branch: str = "main"
) -> None:
    """Commit to a branch, from main, what `change` makes of a file; None removes it."""
    before = git(repository, "cat-file", "blob", f"refs/heads/main:{path}").decode()
    after = change(before)
    assert after != before, "the test changes nothing"
    lines = [
        f"commit refs/heads/{branch}\n".encode(),
        b"committer someone <someone@halden.example> 1793000000 +0000\n",
        b"data 5\nmerge\nfrom refs/heads/main^0\n",
    ]
    if after is None:
        lines.append(f"D {path}\n".encode())
    else:
        content = after.encode()
        lines += [f"M 100644 inline {path}\ndata {len(content)}\n".encode(), content, b"\n"]
    git(repository, "fast-import", "--quiet", "--done", stdin=b"".join(lines) + b"done\n")


@pytest.fixture(scope="session")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An estate nobody changes."""
    out = tmp_path_factory.mktemp("demo") / "estate"
    create(out, SEED, DAYS)
    return out
