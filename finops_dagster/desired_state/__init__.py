"""The index of a GitOps repository at a commit: declared resources and where each value lives.

Nothing is written here, and nothing outside the repository is read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from finops_dagster.desired_state.index import RepositoryIndex
from finops_dagster.desired_state.ownership import TagKeys
from finops_dagster.desired_state.tree import READ_SUFFIXES, Tree, read_commit, read_directory

__all__ = [
    "READ_SUFFIXES",
    "RepositoryIndex",
    "TagKeys",
    "index_files",
    "open_directory",
    "open_repository",
]


_KEYS = TagKeys()


def open_repository(
    path: Path | str,
    commit: str | None = None,
    keys: TagKeys = _KEYS,
    earlier: RepositoryIndex | None = None,
) -> RepositoryIndex:
    """Index of a Git repository, bare or not, at `commit` (None: HEAD).

    `keys`: which tags say whose a resource is; `earlier`: an index whose unchanged files need not
    be read again.

    Raises SettingsError if there is no such repository or commit, Unavailable without git.
    """
    return RepositoryIndex(read_commit(Path(path), commit), earlier, keys)


def open_directory(path: Path | str) -> RepositoryIndex:
    """Index of a folder as it lies on disk; its `commit` is empty. Raises SettingsError."""
    return RepositoryIndex(read_directory(Path(path)))


def index_files(
    files: Mapping[str, bytes],
    commit: str = "",
    keys: TagKeys = _KEYS,
    earlier: RepositoryIndex | None = None,
) -> RepositoryIndex:
    """Index of files already in memory, keyed by POSIX path; else as of `open_repository`."""
    return RepositoryIndex(Tree(files, tuple(sorted(files)), {}, commit), earlier, keys)
