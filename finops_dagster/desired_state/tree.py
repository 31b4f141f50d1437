"""The files of a repository, at a commit or in a folder, as bytes keyed by POSIX path.

What the files mean is not known here; nothing is ever checked out, followed or written.
"""

from __future__ import annotations

import os
import posixpath
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from finops_dagster.domain.errors import Fault, SettingsError, Unavailable

MANIFEST_SUFFIXES = (".yaml", ".yml", ".json")
"""Files that may hold Kubernetes objects."""

READ_SUFFIXES = (*MANIFEST_SUFFIXES, ".tf", ".tofu", ".tfvars", ".hcl", ".template",
                 "samconfig.toml")  # fmt: skip
"""Only these are read; other files are known by name alone."""

MAX_FILE_BYTES = 5_000_000
"""A larger manifest is generated (the largest hand-kept ones are CRD bundles of 2 to 3 MB)."""

GIT_TIMEOUT_SECONDS = 60

_TOO_LARGE = f"larger than {MAX_FILE_BYTES:,} bytes: split it"
_SUBMODULE = "a submodule: its files are in a repository of their own, index that one"


@dataclass(frozen=True)
class Tree:
    """File names of a repository and the bytes of those that may declare something."""

    files: Mapping[str, bytes]
    names: tuple[str, ...]
    """Every file, read or not, sorted."""
    refused: Mapping[str, str]
    """File -> why it was not read (symbolic links, files over the limit)."""
    commit: str
    """Empty for a folder that is not read through Git."""

    def with_changes(self, changes: Mapping[str, bytes]) -> Tree:
        """The tree with some files' bytes replaced; nothing on disk changes."""
        return Tree(
            files={**self.files, **changes},
            names=tuple(sorted({*self.names, *changes})),
            refused=self.refused,
            commit=self.commit,
        )


def read_commit(repository: Path, commit: str | None) -> Tree:
    """Files of `repository` (bare or not) at `commit` (None: HEAD), through git's own plumbing.

    Raises SettingsError if there is no such repository or commit, Unavailable if git is missing.
    """
    wanted = commit or "HEAD"
    if wanted.startswith("-") or any(c in wanted for c in "\0\n\r"):
        raise _no_commit(repository, wanted)
    sha = _git(repository, "rev-parse", "--verify", "--quiet", "--end-of-options",
               f"{wanted}^{{commit}}", missing=wanted).decode().strip()  # fmt: skip
    listing = _git(repository, "ls-tree", "-r", "-l", "-z", "--full-tree", sha)
    names: list[str] = []
    refused: dict[str, str] = {}
    blobs: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    for record in listing.split(b"\0"):
        if not record:
            continue
        meta, _, raw_name = record.partition(b"\t")
        mode, kind, oid, size = meta.decode().split()
        name, fault = _named(raw_name)
        if fault:
            refused[name] = fault
            continue
        names.append(name)
        if kind != "blob":
            refused[name] = _SUBMODULE
        elif mode == "120000":
            links.append((name, oid))
        elif not name.lower().endswith(READ_SUFFIXES):
            continue
        elif int(size) > MAX_FILE_BYTES:
            refused[name] = _TOO_LARGE
        else:
            blobs.append((name, oid))
    targets = _read_blobs(repository, links)
    refused |= {name: _link(name, target) for name, target in targets.items()}
    return Tree(_read_blobs(repository, blobs), tuple(sorted(names)), refused, sha)


def read_directory(folder: Path) -> Tree:
    """Files under `folder`, `.git` left out; symbolic links and repositories within are refused,
    never followed. Raises SettingsError if `folder` is none.
    """
    if not folder.is_dir():
        raise SettingsError(
            f"{folder} is not a folder",
            (
                Fault(
                    code="no_folder",
                    file=str(folder),
                    expected="A folder with manifests was expected.",
                    hint="Check the path.",
                ),
            ),
        )
    names: list[str] = []
    refused: dict[str, str] = {}
    files: dict[str, bytes] = {}
    for path in _walk(folder, refused):
        name, fault = _named(os.fsencode(path.relative_to(folder).as_posix()))
        if fault:
            refused[name] = fault
            continue
        names.append(name)
        if path.is_symlink():
            refused[name] = _link(name, os.fsencode(os.readlink(path)))
        elif path.is_dir():
            refused[name] = _SUBMODULE
        elif not name.lower().endswith(READ_SUFFIXES):
            continue
        elif not path.is_file():
            refused[name] = "not a regular file"
        elif path.stat().st_size > MAX_FILE_BYTES:
            refused[name] = _TOO_LARGE
        else:
            try:
                files[name] = path.read_bytes()
            except OSError as error:
                refused[name] = f"cannot be read: {error.strerror}"
    return Tree(files, tuple(sorted(names)), refused, "")


def _walk(folder: Path, refused: dict[str, str]) -> Iterator[Path]:
    """Files, links, and folders that are repositories of their own; the latter are not entered."""

    def unread(error: OSError) -> None:
        name, _ = _named(os.fsencode(Path(error.filename).relative_to(folder).as_posix()))
        refused[name] = f"a folder that cannot be read: {error.strerror}"

    for parent, folders, names in os.walk(folder, onerror=unread, followlinks=False):
        inner: list[str] = []
        for name in sorted(folders):
            path = Path(parent, name)
            if path.is_symlink() or (path / ".git").exists():
                yield path
            elif name != ".git":
                inner.append(name)
        folders[:] = inner
        yield from (Path(parent, name) for name in sorted(names) if name != ".git")


def _named(raw: bytes) -> tuple[str, str]:
    """(name, why such a name is not read): names end up in terminals, diffs and patches."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), "its name is not UTF-8: rename it"
    if not name.isprintable():
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
        return shown, "its name holds control characters: rename it"
    return name, ""


def _link(name: str, target: bytes) -> str:
    """Why the symbolic link `name` is not followed."""
    text = target.decode(errors="replace")
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), text))
    if text.startswith("/") or path == ".." or path.startswith("../"):
        where = "out of the repository"
    elif path == "." or f"{name}/".startswith(f"{path}/"):
        where = f"to {text!r}, back to itself"
    else:
        where = f"to {text!r}"
    return f"a symbolic link {where}: links are not followed, name the file itself"


def _read_blobs(repository: Path, blobs: list[tuple[str, str]]) -> dict[str, bytes]:
    """All blobs through one `git cat-file --batch`: one process, whatever the number of files."""
    if not blobs:
        return {}
    request = "".join(f"{oid}\n" for _, oid in blobs).encode()
    answer = _git(repository, "cat-file", "--batch", stdin=request)
    files: dict[str, bytes] = {}
    at = 0
    for name, _ in blobs:
        header_end = answer.index(b"\n", at)
        size = int(answer[at:header_end].split()[2])
        files[name] = answer[header_end + 1 : header_end + 1 + size]
        at = header_end + size + 2
    return files


def _git(repository: Path, *arguments: str, stdin: bytes | None = None, missing: str = "") -> bytes:
    command = ["git", "-c", "safe.directory=*", "-C", str(repository), *arguments]
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, timeout=GIT_TIMEOUT_SECONDS, check=False
        )
    except (FileNotFoundError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"git could not read {repository}: {error}") from error
    if done.returncode == 0:
        return done.stdout
    if missing:
        raise _no_commit(repository, missing)
    raise Unavailable(
        f"git {arguments[0]} failed in {repository}: {done.stderr.decode(errors='replace').strip()}"
    )


def _no_commit(repository: Path, wanted: str) -> SettingsError:
    return SettingsError(
        f"{repository} has no commit {wanted!r}",
        (
            Fault(
                code="no_commit",
                file=str(repository),
                expected=f"A Git repository with the commit {wanted!r} was expected.",
                hint=_what_is_there(repository),
            ),
        ),
    )


def _what_is_there(repository: Path) -> str:
    """What to do where a commit was not found: it depends on what the path holds."""
    try:
        listed = _git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads")
    except Unavailable:
        return f"{repository} is no Git repository: check the path."
    branches = listed.decode(errors="replace").split()
    if not branches:
        return "It has no commit yet: push a branch to it."
    return f"Check the branch or commit id; branches there: {', '.join(branches[:10])}."
