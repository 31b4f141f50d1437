"""The bare repository as a forge: plain git counts, crashes and rivals do no harm."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from finops_dagster.desired_state import open_repository
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import SettingsError, Stopped, Unavailable
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.changes import plan_change_set
from finops_dagster.gitops.git_objects import Git
from finops_dagster.gitops.local.forge import LocalForge
from finops_dagster.gitops.reconcile import Actions, Limits, Wanted, reconcile
from tests.builders import MEMORY, NOW, bare_repository, deployment, git, proposal, verdict

FILES = {f"apps/{name}.yaml": deployment(name) for name in ("web", "api", "job")}


def repository(folder: Path) -> Path:
    return bare_repository(folder, FILES)


def wanted(bare: Path, **changes: str) -> Wanted:
    of = proposal(**changes)
    change = plan_change_set(of, open_repository(bare, "main"), ["apps/*"])
    assert not isinstance(change, Abstained), change
    return of, verdict(of), change


def run(bare: Path, *items: Wanted) -> Actions:
    return reconcile(items, LocalForge(bare, now=NOW), Limits(9, 9), "main", True, NOW)


def pulls(bare: Path) -> list[PullRequest]:
    return list(LocalForge(bare, now=NOW).pull_requests())


def test_a_merge_by_plain_git_counts(tmp_path: Path) -> None:
    """Harm: what a person merged by hand stays open for ever, or is called rejected."""
    for number, keep_branch in enumerate((True, False)):
        bare = repository(tmp_path / str(number))
        run(bare, wanted(bare))
        (found,) = pulls(bare)
        clone = tmp_path / str(number) / "clone"
        git(tmp_path, "clone", "-q", str(bare), str(clone))
        git(clone, "merge", "-q", "--no-ff", f"origin/{found.branch}")
        git(clone, "push", "-q", "origin", "main")
        if not keep_branch:
            git(clone, "push", "-q", "origin", "--delete", found.branch)
        assert [one.state for one in pulls(bare)] == [PullRequestState.MERGED]
        assert LocalForge(bare, now=NOW).merge(1).state is PullRequestState.MERGED
        assert "cpu: 500m" in git(bare, "show", "main:apps/web.yaml")


def test_a_branch_deleted_by_plain_git_is_a_no(tmp_path: Path) -> None:
    """Harm: a person deletes the branch, and the next run brings it back."""
    bare = repository(tmp_path)
    run(bare, wanted(bare))
    git(bare, "branch", "-q", "-D", pulls(bare)[0].branch)
    assert [one.state for one in pulls(bare)] == [PullRequestState.REJECTED]
    done = run(bare, wanted(bare))
    assert "rejected by a person" in done.withheld[0].reason
    assert not done.opened


def test_neighbouring_values_merge_one_after_the_other(tmp_path: Path) -> None:
    """Harm: after one of two pull requests on one file is merged, the other conflicts for ever."""
    text = deployment("web").replace(b"\n\n            # room for the cache", b"")
    bare = bare_repository(tmp_path, {"apps/web.yaml": text})
    memory = {"field": MEMORY, "current": "4Gi", "proposed": "1Gi"}
    run(bare, wanted(bare), wanted(bare, **memory))
    forge = LocalForge(bare, now=NOW)
    forge.merge(1)
    with pytest.raises(Stopped):
        forge.merge(2)
    done = run(bare, wanted(bare, **memory))
    assert "conflicted" in done.updated[0].reason
    forge.merge(2)
    main = git(bare, "show", "main:apps/web.yaml")
    assert "cpu: 500m" in main
    assert "memory: 1Gi" in main


def test_the_same_value_is_proposed_once(tmp_path: Path) -> None:
    """Harm: two findings of one value fight over one branch, run after run."""
    bare = repository(tmp_path)
    done = run(bare, wanted(bare), wanted(bare, proposed="900m"))
    assert len(done.opened) == 1
    assert "proposed twice" in done.withheld[0].reason


class Killed(BaseException):
    """Nothing in the product may catch it: the process is gone."""


def scenario(bare: Path) -> Callable[[], Actions]:
    """One open as wanted, one to update, one to close, one to open."""
    job = {"resource": "Deployment/shop/job"}
    memory = {"field": MEMORY, "current": "4Gi", "proposed": "1Gi"}
    api = {"resource": "Deployment/shop/api"}
    run(bare, wanted(bare), wanted(bare, **job), wanted(bare, **memory))
    return lambda: run(bare, wanted(bare), wanted(bare, **job, proposed="700m"),
                       wanted(bare, **api))  # fmt: skip


def state(bare: Path) -> tuple[object, ...]:
    shown = [one.model_dump(exclude={"url"}) for one in pulls(bare)]
    return shown, sorted(git(bare, "for-each-ref", "refs/heads").splitlines())


@pytest.mark.parametrize("before", [True, False])
def test_killed_at_any_write_the_next_run_ends_where_it_should(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """Harm: a run killed between two writes leaves a duplicate, an orphan or a standstill."""
    undisturbed = repository(tmp_path / "undisturbed")
    scenario(undisturbed)()
    real = Git.set_reference
    kills = 0
    for number in range(1, 100):
        bare = repository(tmp_path / str(number))
        again = scenario(bare)
        left = number

        def fatal(self: Git, name: str, new: str, old: str) -> bool:
            nonlocal left
            left -= 1
            if left == 0 and before:
                raise Killed
            done = real(self, name, new, old)
            if left == 0:
                raise Killed
            return done

        monkeypatch.setattr(Git, "set_reference", fatal)
        try:
            again()
        except Killed:
            kills += 1
        finally:
            monkeypatch.setattr(Git, "set_reference", real)
        if left > 0:
            break
        again()
        assert state(bare) == state(undisturbed), f"killed at write {number}"
        quiet = again()
        assert (quiet.opened, quiet.updated, quiet.closed) == ((), (), ())
    assert kills > 8


def test_two_runners_at_once_open_nothing_twice(tmp_path: Path) -> None:
    """Harm: the schedule and a person start at the same time, and everything is there twice."""
    bare = repository(tmp_path)
    items = [wanted(bare, resource=f"Deployment/shop/{name}") for name in ("web", "api", "job")]
    faults: list[BaseException] = []

    def runner() -> None:
        try:
            run(bare, *items)
        except Unavailable as error:
            faults.append(error)

    threads = [threading.Thread(target=runner) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run(bare, *items)
    branches = [one.branch for one in pulls(bare)]
    assert len(branches) == len(set(branches)) == 3
    assert [one.number for one in pulls(bare)] == [1, 2, 3]


def test_nothing_but_its_own_branches_is_written(tmp_path: Path) -> None:
    """Harm: a name makes the forge overwrite main or another reference."""
    bare = repository(tmp_path)
    _, _, change = wanted(bare)
    forge = LocalForge(bare, now=NOW)
    for branch, base in (("main", change.base_sha), ("finops/x", "main"), ("finops/x", "--help")):
        with pytest.raises(Stopped):
            forge.write_branch(branch, base, change, "m")


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    """Harm: a wrong path ends in a stack trace."""
    with pytest.raises(SettingsError):
        LocalForge(tmp_path / "nowhere", now=NOW)
    forge = LocalForge(repository(tmp_path), now=NOW)
    with pytest.raises(SettingsError):
        forge.head("no-such-branch")
    for ask in (forge.merge, forge.diff, forge.mergeable):
        with pytest.raises(Stopped):
            ask(7)
