"""Which commit was the newest at a time: for deciding a past day on what was declared then.

What a commit holds is read in tree.
"""

from __future__ import annotations

import subprocess
from datetime import datetime
from pathlib import Path

from finops_dagster.domain.errors import SettingsError


def commit_before(repository: Path, branch: str, before: datetime) -> str | None:
    """The newest commit of `branch` made at or before `before`, along its first parents.

    None where the branch is younger. Raises SettingsError if git cannot tell.
    """
    done = subprocess.run(
        [
            "git",
            "-C",
            str(repository),
            "rev-list",
            "--max-count=1",
            "--first-parent",
            f"--before={before.isoformat()}",
            f"refs/heads/{branch}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SettingsError(f"{repository}: no branch {branch} to read: {done.stderr.strip()}")
    return done.stdout.strip() or None
