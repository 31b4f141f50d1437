"""What people did with plain git, read from the target branch: merges and reverts.

What follows from it for a pull request is in forge.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from finops_dagster.gitops.git_objects import Git
from finops_dagster.gitops.reverts import undone_by_commit


@dataclass(frozen=True)
class Done:
    """One commit on the target branch, by whom and when it was committed."""

    commit: str
    at: datetime
    by: str


def merged_branches(git: Git, branch: str, prefix: str) -> frozenset[str]:
    """References below `prefix` whose commits `branch` already holds."""
    out = git.run("for-each-ref", "--format=%(refname)", f"--merged=refs/heads/{branch}", prefix)
    return frozenset(out.decode().split("\n"))


def holds(git: Git, branch: str, commit: str) -> bool:
    """Whether `branch` already holds a commit; False where that is not there any more."""
    code, _, _ = git.attempt("merge-base", "--is-ancestor", commit, f"refs/heads/{branch}")
    return code == 0


def merge_of(git: Git, branch: str, head: str) -> Done:
    """The commit by which `branch` came to hold `head`: itself if it was fast-forwarded."""
    line = git.run("rev-list", "--first-parent", f"refs/heads/{branch}").decode().split()
    if head not in line:
        held = git.run("rev-list", "--ancestry-path", f"{head}..refs/heads/{branch}").decode()
        after = set(held.split())
        head = [commit for commit in line if commit in after][-1]
    at, by = git.run("show", "-s", "--format=%ct %cn", head).decode().strip().split(" ", 1)
    return Done(head, datetime.fromtimestamp(int(at), UTC), by)


def reverted(git: Git, branch: str, merges: Sequence[str]) -> Mapping[str, Done]:
    """Commit -> the commit on `branch`, after the first of `merges`, that reverts it and stands.

    A revert that was itself reverted is none.
    """
    if not merges:
        return {}
    # by ancestry: commits of a simulated estate and of people are dated by different clocks
    code, out, _ = git.attempt("merge-base", "--octopus", *merges)
    after = [f"^{out.decode().strip()}"] if code == 0 else []
    out = git.run(
        "log", "--fixed-strings", "--grep=This reverts commit",
        "--format=%H%x00%ct%x00%cn%x00%B%x1e", f"refs/heads/{branch}", *after,
    )  # fmt: skip
    found: dict[str, Done] = {}
    for entry in reversed(out.decode(errors="replace").split("\x1e")):
        if "\0" not in entry:
            continue
        commit, at, by, message = entry.strip("\n").split("\0", 3)
        done = Done(commit, datetime.fromtimestamp(int(at), UTC), by)
        found.update(dict.fromkeys(undone_by_commit(message), done))
    return {commit: done for commit, done in found.items() if _stands(done.commit, found)}


def _stands(commit: str, undone: Mapping[str, Done], seen: Iterable[str] = ()) -> bool:
    """Whether a commit's change is still there: not reverted, or its revert was reverted."""
    by = undone.get(commit)
    if by is None or by.commit in seen:
        return True
    return not _stands(by.commit, undone, (*seen, by.commit))
