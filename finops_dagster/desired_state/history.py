"""Commits of the branch that is deployed: the newest at a time, and those that touched a file.

What a commit holds is read in tree.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from finops_dagster.domain.changes import Commit
from finops_dagster.domain.errors import SettingsError


def commit_before(repository: Path, branch: str, before: datetime) -> str | None:
    """The newest commit of `branch` made at or before `before`, along its first parents.

    None where the branch is younger. Raises SettingsError if git cannot tell.
    """
    limits = ["--max-count=1", f"--before={before.isoformat()}"]
    return _asked(repository, "rev-list", branch, limits, ()).strip() or None


def commits_between(
    repository: Path, branch: str, since: datetime, until: datetime, files: Iterable[str]
) -> list[Commit]:
    """Commits of `branch` after `since` up to `until` that touch any of `files`, oldest first.

    Along first parents: a merge is one commit. Raises SettingsError if git cannot tell.
    """
    limits = [
        f"--since={since.isoformat()}",
        f"--until={until.isoformat()}",
        "--reverse",
        "--format=%H%x00%ct%x00%s",
    ]
    lines = _asked(repository, "log", branch, limits, files).splitlines()
    found = [line.split("\0", 2) for line in lines]
    return [
        Commit(sha=sha, on=datetime.fromtimestamp(int(at), UTC).date(), subject=subject)
        for sha, at, subject in found
    ]


def _asked(
    repository: Path, what: str, branch: str, limits: list[str], files: Iterable[str]
) -> str:
    paths = [f":(literal){file}" for file in files]
    done = subprocess.run(
        ["git", "-C", str(repository), what, "--first-parent", *limits, f"refs/heads/{branch}"]
        + (["--", *paths] if paths else []),
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        raise SettingsError(f"{repository}: no branch {branch} to read: {done.stderr.strip()}")
    return done.stdout
