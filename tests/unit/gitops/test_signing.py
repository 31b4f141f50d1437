"""Commits signed with a key: what Git verifies, and keys that are none."""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.gitops.git_objects import Author
from finops_dagster.gitops.signing import Signer, commit_bytes, with_signature

WHEN = datetime(2026, 5, 4, 6, tzinfo=UTC)
AUTHOR = Author("finops", "finops@example.org")


def run(*command: str, stdin: bytes | None = None, **environment: str) -> str:
    done = subprocess.run(
        command, input=stdin, capture_output=True, check=True, env={**os.environ, **environment}
    )
    return done.stdout.decode() + done.stderr.decode()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repository.git"
    run("git", "init", "-q", "--bare", str(folder))
    return folder


def stored(repository: Path, data: bytes) -> str:
    command = ("git", "-C", str(repository), "hash-object", "-t", "commit", "-w", "--stdin")
    return run(*command, stdin=data).strip()


def empty_tree(repository: Path) -> str:
    return run("git", "-C", str(repository), "mktree", stdin=b"").strip()


def test_a_commit_is_the_object_that_git_makes(repository: Path) -> None:
    """Harm: what is signed is not what the forge stores, and no signature is good."""
    tree = empty_tree(repository)
    ours = stored(repository, commit_bytes(tree, (), "Größe\n\nbody\n", AUTHOR, WHEN))
    at = {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER") for what, value in (
        ("NAME", AUTHOR.name), ("EMAIL", AUTHOR.email), ("DATE", "2026-05-04T06:00:00+0000"),
    )}  # fmt: skip
    theirs = run(
        "git", "-C", str(repository), "commit-tree", tree, "-F", "-",
        stdin="Größe\n\nbody\n".encode(), **at,
    ).strip()  # fmt: skip
    assert ours == theirs


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="ssh-keygen is not installed")
def test_an_openssh_signature_is_good(repository: Path, tmp_path: Path) -> None:
    """Harm: a branch that demands signed commits takes none of ours; or a changed commit passes."""
    key = tmp_path / "id"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key))
    signers = tmp_path / "signers"
    signers.write_text(f"finops@example.org {key.with_suffix('.pub').read_text()}")
    commit = commit_bytes(empty_tree(repository), (), "Lower it\n", AUTHOR, WHEN)
    signature = Signer(key.read_text()).signature(commit)
    verify = (
        "git", "-C", str(repository), "-c", "gpg.format=ssh", "-c",
        f"gpg.ssh.allowedSignersFile={signers}", "verify-commit",
    )  # fmt: skip
    good = stored(repository, with_signature(commit, signature))
    assert "Good" in run(*verify, good)
    changed = commit.replace(b"Lower", b"Raise")
    with pytest.raises(subprocess.CalledProcessError):
        run(*verify, stored(repository, with_signature(changed, signature)))


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_an_openpgp_signature_is_good(repository: Path, tmp_path: Path) -> None:
    """Harm: the one kind of key that GitHub documents for its API does not work."""
    home = Path("/tmp") / f"finops-gpg-{os.getpid()}"  # a socket's path may be 107 bytes long
    home.mkdir(mode=0o700)
    try:
        gpg = ("gpg", "--homedir", str(home), "--batch", "--passphrase", "", "--quiet")
        run(*gpg, "--quick-generate-key", "finops <finops@example.org>", "ed25519", "sign", "0")
        key = run(*gpg, "--pinentry-mode", "loopback", "--armor", "--export-secret-keys")
        commit = commit_bytes(empty_tree(repository), (), "Lower it\n", AUTHOR, WHEN)
        oid = stored(repository, with_signature(commit, Signer(key).signature(commit)))
        told = run("git", "-C", str(repository), "verify-commit", oid, GNUPGHOME=str(home))
        assert "Good signature" in told
    finally:
        run("gpgconf", "--homedir", str(home), "--kill", "all")
        shutil.rmtree(home, ignore_errors=True)


@pytest.mark.parametrize(
    "key",
    [
        "canary-4711",
        "-----BEGIN OPENSSH PRIVATE KEY-----\ncanary-4711\n-----END OPENSSH PRIVATE KEY-----",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\ncanary-4711\n-----END PGP PRIVATE KEY BLOCK-----",
    ],
)
def test_a_key_that_is_none_is_told_without_it(key: str) -> None:
    """Harm: a private key that was pasted badly ends in a log, or commits go out unsigned."""
    with pytest.raises(SettingsError) as raised:
        Signer(key).signature(b"tree\n\nx")
    shown = str(raised.value) + repr(raised.value.faults) + repr(Signer(key))
    assert "canary-4711" not in shown
    assert "FINOPS_COMMIT_SIGNING_KEY" in raised.value.faults[0].hint
