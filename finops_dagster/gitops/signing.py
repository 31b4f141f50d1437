"""Commits signed with a key of ours: by OpenSSH or by GnuPG, as Git itself would.

Which commits are made, and where the key comes from, is not known here.
"""

from __future__ import annotations

import subprocess
import tempfile
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.gitops.git_objects import Author

_SSH_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----"
_PGP_KEY = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
_TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Signer:
    """Signs with one private key, which has no passphrase and never leaves a folder of its own."""

    key: str = field(repr=False)
    """Armored: an OpenSSH or an OpenPGP private key."""

    def signature(self, commit: bytes) -> str:
        """Armored detached signature of a commit object's bytes without its `gpgsig` header.

        Raises SettingsError if the key is of no known kind or its tool does not sign with it.
        """
        key = self.key.strip()
        with tempfile.TemporaryDirectory(prefix="finops-sign-") as name:
            folder = Path(name)
            if key.startswith(_SSH_KEY):
                return _by_openssh(folder, key, commit)
            if key.startswith(_PGP_KEY):
                return _by_gnupg(folder, key, commit)
        raise _no_signature(f"it begins neither with {_SSH_KEY} nor with {_PGP_KEY}")

    def signed(self, commit: bytes) -> bytes:
        """The commit object with its signature. Raises as signature does."""
        return with_signature(commit, self.signature(commit))


def commit_bytes(
    tree: str, parents: tuple[str, ...], message: str, author: Author, when: datetime
) -> bytes:
    """A commit object as Git stores it, unsigned; the author commits, at UTC."""
    who = f"{author.name} <{author.email}> {int(when.timestamp())} +0000"
    lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents)]
    return "\n".join([*lines, f"author {who}", f"committer {who}", "", message]).encode()


def with_signature(commit: bytes, signature: str) -> bytes:
    """The commit object with its signature as the last header, as Git stores it."""
    header, _, message = commit.partition(b"\n\n")
    lines = signature.strip().split("\n")
    signed = "\n ".join(lines).encode()
    return header + b"\ngpgsig " + signed + b"\n\n" + message


def _by_openssh(folder: Path, key: str, commit: bytes) -> str:
    file = folder / "key"
    file.touch(mode=0o600)
    file.write_text(f"{key}\n", encoding="ascii")
    return _output(["ssh-keygen", "-Y", "sign", "-n", "git", "-f", str(file)], commit)


def _by_gnupg(folder: Path, key: str, commit: bytes) -> str:
    gpg = ["gpg", "--homedir", str(folder), "--batch", "--no-tty", "--quiet"]
    try:
        _output([*gpg, "--import"], f"{key}\n".encode())
        return _output([*gpg, "--pinentry-mode", "loopback", "--passphrase", "",
                        "--armor", "--detach-sign"], commit)  # fmt: skip
    finally:
        subprocess.run(
            ["gpgconf", "--homedir", str(folder), "--kill", "all"],
            capture_output=True, check=False, timeout=_TIMEOUT_SECONDS,
        )  # fmt: skip


def _output(command: list[str], stdin: bytes) -> str:
    try:
        done = subprocess.run(
            command, input=stdin, capture_output=True, check=False, timeout=_TIMEOUT_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _no_signature(f"{command[0]} does not run ({type(error).__name__})") from None
    if done.returncode != 0:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2][:200]
        raise _no_signature(f"{command[0]} says: {last}")
    return done.stdout.decode("ascii")


def _no_signature(why: str) -> SettingsError:
    return SettingsError(f"Commits cannot be signed with the key that is set: {why}", (
        Fault(
            code="signing_key",
            expected=f"A private key without a passphrase was expected; {why}.",
            hint="Set FINOPS_COMMIT_SIGNING_KEY or FINOPS_COMMIT_SIGNING_KEY_FILE to another, or "
            "unset it; ssh-keygen or gpg must be installed.",
        ),
    ))  # fmt: skip
