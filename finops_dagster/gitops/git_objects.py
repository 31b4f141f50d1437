"""Git plumbing on a bare repository: objects and references, no working tree, no index file.

What the objects mean is not known here.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from finops_dagster.domain.errors import Unavailable

ZERO = "0" * 40
TIMEOUT_SECONDS = 60
_OBJECT_ID = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?\Z")


@dataclass(frozen=True)
class Author:
    """Who commits."""

    name: str = "finops"
    email: str = "finops@localhost"


class Git:
    """One bare repository, through git's plumbing commands."""

    def __init__(self, repository: Path) -> None:
        self.repository = repository

    def run(self, *arguments: str, stdin: bytes | None = None) -> bytes:
        """Output of a git command. Raises Unavailable if it fails or git is missing."""
        code, out, err = self.attempt(*arguments, stdin=stdin)
        if code != 0:
            told = err.decode(errors="replace").strip() or f"exit code {code}"
            raise Unavailable(f"git {arguments[0]} failed in {self.repository}: {told}")
        return out

    def attempt(self, *arguments: str, stdin: bytes | None = None) -> tuple[int, bytes, bytes]:
        """(exit code, output, error text) of a git command that may well fail."""
        command = ["git", "-c", "safe.directory=*", "-C", str(self.repository), *arguments]
        try:
            done = subprocess.run(
                command, input=stdin, capture_output=True, timeout=TIMEOUT_SECONDS, check=False
            )
        except (FileNotFoundError, subprocess.TimeoutExpired) as error:
            raise Unavailable(f"git could not work on {self.repository}: {error}") from error
        return done.returncode, done.stdout, done.stderr

    def resolve(self, revision: str) -> str | None:
        """Commit id of a full reference name or id; None if there is none."""
        code, out, _ = self.attempt(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
        )
        return out.decode().strip() if code == 0 else None

    def references(self, prefix: str) -> dict[str, str]:
        """Reference -> object id below `prefix`."""
        out = self.run("for-each-ref", "--format=%(objectname) %(refname)", prefix).decode()
        pairs = (line.split(" ", 1) for line in out.splitlines())
        return {name: oid for oid, name in pairs}

    def set_reference(self, name: str, new: str, old: str) -> bool:
        """Point `name` from `old` (ZERO: not there) to `new` (ZERO: gone), only if it is at `old`.

        False if somebody else was faster.
        """
        if new == ZERO:
            code, _, _ = self.attempt("update-ref", "-d", name, old)
        else:
            code, _, _ = self.attempt("update-ref", name, new, old)
        return code == 0

    def blobs(self, ids: list[str]) -> list[bytes]:
        """Contents of objects, through one process."""
        if not ids:
            return []
        out = self.run("cat-file", "--batch", stdin="".join(f"{oid}\n" for oid in ids).encode())
        contents: list[bytes] = []
        at = 0
        for _ in ids:
            end = out.index(b"\n", at)
            size = int(out[at:end].split()[2])
            contents.append(out[end + 1 : end + 1 + size])
            at = end + size + 2
        return contents

    def write_blob(self, data: bytes) -> str:
        """Id of a new blob."""
        return self.run("hash-object", "-w", "--stdin", stdin=data).decode().strip()

    def entry(self, commit: str, path: str) -> tuple[str, str, str] | None:
        """(mode, kind, object id) of what is at a path of a commit; None if nothing is."""
        out = self.run("ls-tree", "-z", "--full-tree", commit, "--", path)
        for mode, kind, oid, name in _entries(out):
            if name == path.encode():
                return mode, kind, oid
        return None

    def file(self, commit: str, path: str) -> tuple[str, bytes] | None:
        """(mode, content) of a regular file at a commit; None if it is not one."""
        found = self.entry(commit, path)
        if found is None or found[1] != "blob" or found[0] not in {"100644", "100755"}:
            return None
        return found[0], self.blobs([found[2]])[0]

    def is_free(self, commit: str, path: str) -> bool:
        """Whether a file may be made at a path: nothing is there, and only folders above it."""
        parts = path.split("/")
        if any(part in ("", ".", "..", ".git") for part in parts):
            return False
        for depth in range(1, len(parts)):
            above = self.entry(commit, "/".join(parts[:depth]))
            if above is None:
                return True
            if above[1] != "tree":
                return False
        return self.entry(commit, path) is None

    def tree_with(self, commit: str, files: dict[str, tuple[str, str]]) -> str:
        """Id of `commit`'s tree with files (path -> mode, blob id) replaced or added."""
        root = self.run("rev-parse", "--verify", f"{commit}^{{tree}}").decode().strip()
        parts = {tuple(path.encode().split(b"/")): entry for path, entry in files.items()}
        return self._tree(root, parts)

    def _tree(self, tree: str | None, files: dict[tuple[bytes, ...], tuple[str, str]]) -> str:
        """`tree`: None for a folder that is not there yet."""
        listed = self.run("ls-tree", "-z", tree) if tree is not None else b""
        here = {name: (mode, kind, oid) for mode, kind, oid, name in _entries(listed)}
        below: dict[bytes, dict[tuple[bytes, ...], tuple[str, str]]] = {}
        for path, (mode, oid) in files.items():
            if len(path) == 1:
                here[path[0]] = (mode, "blob", oid)
            else:
                below.setdefault(path[0], {})[path[1:]] = (mode, oid)
        for folder, inside in below.items():
            old = here[folder][2] if folder in here else None
            here[folder] = ("040000", "tree", self._tree(old, inside))
        listing = b"".join(
            f"{mode} {kind} {oid}\t".encode() + name + b"\0"
            for name, (mode, kind, oid) in here.items()
        )
        return self.run("mktree", "-z", stdin=listing).decode().strip()

    def commit(
        self, tree: str, parents: tuple[str, ...], message: str, author: Author, when: datetime,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> str:  # fmt: skip
        """Id of a commit object: the same arguments always give the same id.

        `sign`: makes of the object's bytes those with a signature.
        """
        who = f"{_clean(author.name)} <{_clean(author.email)}> {int(when.timestamp())} +0000"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
        text = "\n".join([*lines, f"author {who}", f"committer {who}", "", message.rstrip("\n")])
        data = f"{text}\n".encode()
        data = sign(data) if sign is not None else data
        return self.run("hash-object", "-t", "commit", "-w", "--stdin", stdin=data).decode().strip()

    def shape(self, commit: str) -> tuple[str, tuple[str, ...]]:
        """(tree, parents) of a commit."""
        out = self.run("rev-list", "--no-walk", "--format=%T %P", commit).decode().splitlines()
        tree, *parents = out[1].split()
        return tree, tuple(parents)


def is_object_id(text: str) -> bool:
    """Whether `text` is a full object id."""
    return _OBJECT_ID.match(text) is not None


def _entries(listing: bytes) -> list[tuple[str, str, str, bytes]]:
    entries: list[tuple[str, str, str, bytes]] = []
    for record in listing.split(b"\0"):
        if record:
            meta, _, name = record.partition(b"\t")
            mode, kind, oid = meta.decode().split()
            entries.append((mode, kind, oid, name))
    return entries


def _clean(text: str) -> str:
    return "".join(c for c in text if c.isprintable() and c not in "<>").strip() or "finops"
