"""Can the desired-state repository be read, and written if asked to? A bare one, or GitHub's.

Nothing here writes to a repository.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from finops_dagster.setup.checks import Check, fail, ok, warn

if TYPE_CHECKING:
    from github.Auth import Auth

_TIMEOUT_SECONDS = 20


def check_local(repository: Path, branch: str) -> tuple[list[Check], list[str]]:
    """Checks of a local repository and the files on `branch`."""
    name = "repository"
    if not repository.exists():  # told by the check of paths
        return [fail(name, f"nothing at {repository}", "Correct `desired_state.repository`.")], []
    inside = _git(repository, "rev-parse", "--git-dir")
    if inside is None:
        fix = "Name a Git repository: `git clone --bare URL` makes one."
        return [fail(name, f"{repository} is no Git repository", fix)], []
    commit = _git(repository, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
    if commit is None:
        branches = _git(repository, "for-each-ref", "--format=%(refname:short)", "refs/heads")
        known = ", ".join((branches or "").split()[:10]) or "none"
        fix = f"Set `desired_state.branch`; branches there: {known}."
        return [fail("branch", f"no branch {branch} in {repository}", fix)], []
    listing = _git(repository, "ls-tree", "-r", "-z", "--name-only", commit.strip()) or ""
    files = [file for file in listing.split("\0") if file]
    return [ok(name, str(repository)), ok("branch", f"{branch} at {commit.strip()[:12]}")], files


def _git(repository: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(repository), *arguments],
            capture_output=True,
            text=True,
            check=True,
            timeout=_TIMEOUT_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout


def check_github(
    api_url: str, repository: str, branch: str, auth: Auth | None, *, acts: bool
) -> tuple[list[Check], list[str]]:
    """Checks of a repository on GitHub and the files on `branch`.

    `acts` says whether pull requests will be opened: the token must then be allowed to push.
    """
    from github import Github, GithubException
    from github.Auth import AppInstallationAuth
    from requests.exceptions import RequestException

    if auth is None:
        fix = "Set FINOPS_GITHUB_TOKEN, or for an App FINOPS_GITHUB_APP_KEY, in the environment."
        return [fail("github token", "none in the environment", fix)], []
    name = "github"
    try:
        hub = Github(auth=auth, base_url=api_url, timeout=_TIMEOUT_SECONDS, retry=None)
        found = hub.get_repo(repository)
        head = found.get_branch(branch).commit.sha
        tree = found.get_git_tree(head, recursive=True)
    except RequestException as error:
        fix = "Check the network, the proxy and `desired_state.api_url`."
        return [fail(name, f"{api_url} does not answer: {type(error).__name__}", fix)], []
    except GithubException as error:
        return [_refused(name, repository, branch, error.status)], []
    # of an App's rights a repository does not tell: `finops doctor --forge` does
    may_push = found.permissions.push is True or isinstance(auth, AppInstallationAuth)
    checks = [ok(name, f"{repository} on {api_url}"), ok("branch", f"{branch} at {head[:12]}")]
    if found.full_name.lower() != repository.lower():
        told = f"{repository} is called {found.full_name} now"
        checks[0] = warn(name, told, "Set `desired_state.repository` to its new name.")
    if not may_push:
        told = "may read, but not push"
        fix = "Give the token write access to contents and pull requests."
        checks.append(fail("github token", told, fix) if acts else warn("github token", told, fix))
    return checks, [item.path for item in tree.tree if item.type == "blob"]


def _refused(name: str, repository: str, branch: str, status: int) -> Check:
    if status == 401:
        fix = (
            "Set FINOPS_GITHUB_TOKEN to a token, or FINOPS_GITHUB_APP_KEY to a key, that is valid."
        )
        return fail("github token", "refused", fix)
    if status == 404:
        return fail(
            name,
            f"no {repository} with a branch {branch}, or the token may not see it",
            "Correct `desired_state.repository` and `branch`, or the token's access.",
        )
    return fail(name, f"answered with status {status}", "Try again later, or see its status page.")
