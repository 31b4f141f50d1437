"""The two Git hosts that the forge contract runs on, and what a person does on them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Protocol

import github
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from filelock import FileLock

from finops_dagster.domain.pull_requests import Issue, PullRequestState
from finops_dagster.gitops.github.forge import GitHubForge, Patience
from finops_dagster.gitops.local.forge import LocalForge
from tests.builders import NOW, bare_repository, free_port, git
from tests.contract.github_proxy import proxied, proxy_at

HERE = Path(__file__).parent
OWNER, TOKEN = "acme", "token-of-the-emulator"
SPARE_TOKENS = [f"{TOKEN}-{number}" for number in range(100)]
"""The emulator takes 5,000 calls an hour from each token."""
REVIEWER, REVIEWER_TOKEN = "a-reviewer", "token-of-the-reviewer"
APP_ID, INSTALLATION_ID = 1001, 2002
APP_PERMISSIONS = {
    "metadata": "read", "contents": "write", "pull_requests": "write", "issues": "write",
    "statuses": "write",
}  # fmt: skip


class Host(Protocol):
    """A host with one repository, `start` on its main branch."""

    sees_conflicts: bool

    def forge(self, now: datetime = NOW) -> LocalForge | GitHubForge: ...

    def commit(self, branch: str, files: dict[str, bytes], message: str = "by hand") -> str:
        """A person's commit on a branch."""
        ...

    def file(self, revision: str, path: str) -> bytes: ...

    def branches(self) -> set[str]: ...

    def parents(self, commit: str) -> list[str]: ...

    def create_branch(self, branch: str, commit: str) -> None: ...

    def tidy_body(self, number: int) -> None:
        """A person replaces the body of a pull request, marker and all."""
        ...

    def protect(
        self, *, reviews: int = 0, checks: Sequence[str] = (), automerge: bool = True
    ) -> None:
        """An administrator protects the main branch."""
        ...

    def approve(self, number: int) -> None:
        """A person approves a pull request as it is."""
        ...

    def close(self, number: int) -> None:
        """A person closes a pull request unmerged."""
        ...

    def edit_issue(self, issue: Issue, body: str) -> None:
        """A person changes what an issue says."""
        ...


class LocalHost:
    """A bare repository on disk."""

    sees_conflicts = True

    def __init__(self, folder: Path, start: dict[str, bytes]) -> None:
        self.folder = folder
        self.bare = bare_repository(folder, start)

    def forge(self, now: datetime = NOW) -> LocalForge:
        return LocalForge(self.bare, now=now)

    def commit(self, branch: str, files: dict[str, bytes], message: str = "by hand") -> str:
        clone = self.folder / f"clone-{time.monotonic_ns()}"
        git(self.folder, "clone", "-q", "-b", branch, str(self.bare), str(clone))
        for name, data in files.items():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes(data)
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "-m", message)
        git(clone, "push", "-q", "origin", branch)
        return git(clone, "rev-parse", "HEAD").strip()

    def file(self, revision: str, path: str) -> bytes:
        return git(self.bare, "show", f"{revision}:{path}").encode()

    def branches(self) -> set[str]:
        return set(git(self.bare, "branch", "--format=%(refname:short)").split())

    def parents(self, commit: str) -> list[str]:
        return git(self.bare, "rev-list", "--no-walk", "--parents", commit).split()[1:]

    def create_branch(self, branch: str, commit: str) -> None:
        git(self.bare, "branch", branch, commit)

    def tidy_body(self, number: int) -> None:
        reference = f"refs/finops/pulls/{number}"
        record = json.loads(git(self.bare, "cat-file", "blob", reference))
        text = json.dumps({**record, "body": "tidied"}).encode()
        oid = git(self.bare, "hash-object", "-w", "--stdin", stdin=text).strip()
        git(self.bare, "update-ref", reference, oid)

    def protect(
        self, *, reviews: int = 0, checks: Sequence[str] = (), automerge: bool = True
    ) -> None:
        git(self.bare, "config", "finops.main.reviews", str(reviews))
        for check in checks:
            git(self.bare, "config", "--add", "finops.main.checks", check)
        git(self.bare, "config", "finops.main.automerge", str(automerge).lower())

    def approve(self, number: int) -> None:
        head = next(one.head_sha for one in self.forge().pull_requests() if one.number == number)
        git(self.bare, "update-ref", f"refs/finops/reviews/{number}/{REVIEWER}", head)

    def close(self, number: int) -> None:
        self.forge().close(number, PullRequestState.REJECTED)

    def edit_issue(self, issue: Issue, body: str) -> None:
        self.forge().write_issue(issue.topic, issue.title, body)


class GitHubHost:
    """A repository of its own on the emulated GitHub, behind the proxy at `url`.

    People are not recorded: what they do goes to the emulator itself.
    """

    sees_conflicts = True
    count = 0

    def __init__(self, url: str, start: dict[str, bytes]) -> None:
        GitHubHost.count += 1
        self.url = url
        self.name = f"{OWNER}/estate-{GitHubHost.count}"
        self.proxy = proxy_at(url).recorder(self.name)
        self._github = github.Github(
            auth=github.Auth.Token(SPARE_TOKENS[GitHubHost.count % len(SPARE_TOKENS)]),
            base_url=proxy_at(url).upstream, retry=None,
            seconds_between_requests=0, seconds_between_writes=0,
        )  # fmt: skip
        user = self._github.get_user()
        user.create_repo(self.name.partition("/")[2], auto_init=True)  # type: ignore[union-attr]
        self.commit("main", start)

    def forge(self, now: datetime = NOW) -> GitHubForge:
        return GitHubForge(
            self.url, self.name, TOKEN, now=now, patience=Patience(attempts=2), sleep=lambda _: None
        )

    def commit(self, branch: str, files: dict[str, bytes], message: str = "by hand") -> str:
        repository = self._github.get_repo(self.name)
        parent = repository.get_git_commit(repository.get_git_ref(f"heads/{branch}").object.sha)
        elements = [
            github.InputGitTreeElement(
                name, "100644", "blob",
                sha=repository.create_git_blob(base64.b64encode(data).decode(), "base64").sha,
            )
            for name, data in files.items()
        ]  # fmt: skip
        tree = repository.create_git_tree(elements, parent.tree)
        made = repository.create_git_commit(message, tree, [parent])
        self._github.requester.requestJsonAndCheck(
            "PATCH", f"/repos/{self.name}/git/refs/heads/{branch}", input={"sha": made.sha}
        )
        return made.sha

    def file(self, revision: str, path: str) -> bytes:
        repository = self._github.get_repo(self.name)
        sha = revision
        if len(revision) != 40:
            sha = repository.get_git_ref(f"heads/{revision}").object.sha
        tree = repository.get_git_tree(sha, recursive=True)
        blob = next(entry.sha for entry in tree.tree if entry.path == path)
        return base64.b64decode(repository.get_git_blob(blob).content)

    def branches(self) -> set[str]:
        return {branch.name for branch in self._github.get_repo(self.name).get_branches()}

    def parents(self, commit: str) -> list[str]:
        return [one.sha for one in self._github.get_repo(self.name).get_git_commit(commit).parents]

    def create_branch(self, branch: str, commit: str) -> None:
        self._github.get_repo(self.name).create_git_ref(f"refs/heads/{branch}", commit)

    def tidy_body(self, number: int) -> None:
        self._github.get_repo(self.name).get_pull(number).edit(body="tidied")

    def protect(
        self, *, reviews: int = 0, checks: Sequence[str] = (), automerge: bool = True
    ) -> None:
        self.proxy.github.protections["main"] = {
            "required_pull_request_reviews": {"required_approving_review_count": reviews},
            "required_status_checks": {"strict": False, "contexts": list(checks)},
        }
        self._github.get_repo(self.name).edit(allow_auto_merge=automerge)

    def approve(self, number: int) -> None:
        self._github.get_repo(self.name).get_pull(number).create_review(event="APPROVE")

    def close(self, number: int) -> None:
        self._github.get_repo(self.name).get_pull(number).edit(state="closed")

    def edit_issue(self, issue: Issue, body: str) -> None:
        found = self._github.get_repo(self.name).get_issue(issue.number)
        found.edit(body=found.body.replace(issue.body, body))

    def issues(self) -> list[tuple[str, str]]:
        """(title, body) of every open issue."""
        found = self._github.get_repo(self.name).get_issues(state="open")
        return [(one.title, one.body or "") for one in found]

    def rename(self, name: str) -> None:
        """Its owner renames it; this host goes on under the old name, as settings would."""
        proxy_at(self.url).rename(self.name, f"{name}-{GitHubHost.count}")

    def open_by_hand(self, branch: str, body: str) -> int:
        """A person opens a pull request of a branch."""
        repository = self._github.get_repo(self.name)
        return repository.create_pull("main", branch, title="by hand", body=body).number

    def merge_by_hand(self, number: int) -> None:
        """A person merges any pull request."""
        person = github.Github(auth=github.Auth.Token(TOKEN), base_url=self.url, retry=None)
        person.get_repo(self.name).get_pull(number).merge()

    def tree(self, commit: str) -> str:
        """Id of a commit's tree."""
        return self._github.get_repo(self.name).get_git_commit(commit).tree.sha


@cache
def app_key() -> str:
    """Private key (PEM) of the App that the emulator knows."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


class NoEmulatorError(RuntimeError):
    """The emulator cannot be had; the message says why."""


@contextmanager
def github_or_skip(folder: Path) -> Iterator[str]:
    """Address of the proxy before a running emulator; skips with a reason where there can be none,
    but not in CI.
    """
    try:
        with emulated_github(folder) as up, proxied(up, {TOKEN: SPARE_TOKENS}) as url:
            yield url
    except NoEmulatorError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


@contextmanager
def emulated_github(folder: Path) -> Iterator[str]:
    """Address of a running emulator. Raises NoEmulatorError."""
    node = shutil.which("node")
    if node is None or shutil.which("npm") is None:
        raise NoEmulatorError("node and npm are needed for the GitHub emulator")
    program = _installed()
    seed = folder / "seed.yaml"
    tokens = {token: {"login": OWNER, "scopes": ["repo"]} for token in [TOKEN, *SPARE_TOKENS]} | {
        REVIEWER_TOKEN: {"login": REVIEWER, "scopes": ["repo"]}
    }
    installation = {
        "installation_id": INSTALLATION_ID, "account": OWNER, "permissions": APP_PERMISSIONS
    }  # fmt: skip
    app = {
        "app_id": APP_ID, "slug": "finops-app", "name": "finops app", "private_key": app_key(),
        "permissions": APP_PERMISSIONS, "installations": [installation],
    }  # fmt: skip
    users = [{"login": OWNER}, {"login": REVIEWER}]
    seed.write_text(  # JSON is YAML
        json.dumps({"tokens": tokens, "github": {"users": users, "repos": [], "apps": [app]}})
    )
    port = free_port()
    with (folder / "emulator.log").open("wb") as log:
        process = subprocess.Popen(
            [node, str(program), "start", "--service", "github", "--seed", str(seed), "--port",
             str(port)],
            stdout=log, stderr=log, cwd=folder,
        )  # fmt: skip
    try:
        url = f"http://localhost:{port}"
        _wait(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def _installed() -> Path:
    """The emulator's program, installed once from the committed lock file."""
    cache = HERE / ".emulator"
    cache.mkdir(exist_ok=True)
    program = cache / "node_modules" / "emulate" / "dist" / "index.js"
    with FileLock(cache / "lock"):
        wanted = (HERE / "github_emulator" / "package-lock.json").read_bytes()
        have = cache / "package-lock.json"
        if program.is_file() and have.is_file() and have.read_bytes() == wanted:
            return program
        for name in ("package.json", "package-lock.json"):
            shutil.copyfile(HERE / "github_emulator" / name, cache / name)
        done = subprocess.run(
            ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"],
            cwd=cache, capture_output=True, text=True, timeout=180,
            env={**os.environ, "npm_config_update_notifier": "false"},
        )  # fmt: skip
        if done.returncode != 0 or not program.is_file():
            (cache / "package-lock.json").unlink(missing_ok=True)
            raise NoEmulatorError(f"npm could not install the emulator: {done.stderr[-500:]}")
    return program


def _wait(url: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            raise NoEmulatorError("the emulator ended at once")
        try:
            with urllib.request.urlopen(f"{url}/rate_limit", timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise NoEmulatorError("the emulator did not answer in ten seconds")
