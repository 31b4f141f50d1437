"""CODEOWNERS of the desired state at a commit, from whichever forge it lives on.

What its lines mean is known to gitops.
"""

from __future__ import annotations

from pathlib import Path

from finops_dagster.defs.estate import Estate
from finops_dagster.gitops.codeowners import PLACES
from finops_dagster.gitops.git_objects import Git
from finops_dagster.gitops.local.forge import LocalForge


def code_owners(estate: Estate, commit: str) -> str:
    """Its text; empty where the repository has none. Raises SettingsError or Unavailable."""
    settings, forge = estate.settings.desired_state, estate.forge()
    assert settings is not None  # else there is no forge
    if isinstance(forge, LocalForge):
        git = Git(Path(settings.repository))
        there = {path: found[1] for path in PLACES if (found := git.file(commit, path))}
    else:
        there = forge.files(commit, ("CODEOWNERS",))
    return next((there[path] for path in PLACES if path in there), b"").decode(errors="replace")
