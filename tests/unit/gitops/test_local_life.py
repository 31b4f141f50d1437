"""The bare repository as a forge: protection, statuses, issues, and what plain git does to it."""

from __future__ import annotations

import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from finops_dagster.domain.decisions import ChangeSet, Edit
from finops_dagster.domain.errors import Stopped, Unavailable
from finops_dagster.domain.pull_requests import CheckState, PullRequest, PullRequestState
from finops_dagster.gitops.local.forge import LocalForge
from finops_dagster.gitops.signing import Signer
from tests.builders import NOW, bare_repository, deployment, git, proposal

WEB = "apps/web.yaml"


def repository(folder: Path) -> Path:
    return bare_repository(folder, {WEB: deployment("web")})


def forge_of(bare: Path) -> LocalForge:
    return LocalForge(bare, now=NOW)


def edited(bare: Path, before: str = "cpu: 2 ", after: str = "cpu: 1 ") -> ChangeSet:
    text = git(bare, "show", f"main:{WEB}")
    at = text.encode().index(before.encode())
    edit = Edit(
        file=WEB, start_byte=at, end_byte=at + len(before.encode()), before=before, after=after
    )
    return change(bare, edit)


def change(bare: Path, *edits: Edit) -> ChangeSet:
    return ChangeSet(
        proposal_id="p", key="key-0123456789abcdef", base_sha=forge_of(bare).head("main"),
        edits=edits,
    )  # fmt: skip


def opened(bare: Path, branch: str = "finops/web-0123456789abcdef") -> PullRequest:
    forge, changes, of = forge_of(bare), edited(bare), proposal()
    head = forge.write_branch(branch, changes.base_sha, changes, "Lower it\n")
    return forge.open(
        PullRequest.model_validate(
            {
                "number": 0, "key": changes.key, "kind": of.kind.value, "resource": of.resource,
                "branch": branch, "base_sha": changes.base_sha, "head_sha": head, "state": "open",
                "title": "Lower it", "body": "why", "url": "", "files": [],
                "saving_per_month": of.saving_per_month, "verdict": "allow", "rules": [],
                "carbon_kg_per_month": of.carbon_kg_per_month, "labels": ["finops"],
                "fingerprint": changes.fingerprint, "proposal_id": of.id,
            }
        )
    )  # fmt: skip


def protect(bare: Path, **settings: str) -> None:
    for name, value in settings.items():
        git(bare, "config", f"finops.main.{name}", value)


def approve(bare: Path, number: int, commit: str, who: str = "ann") -> None:
    git(bare, "update-ref", f"refs/finops/reviews/{number}/{who}", commit)


def test_an_unprotected_branch_never_automerges(tmp_path: Path) -> None:
    """Harm: a change is merged that nobody and nothing looked at."""
    bare = repository(tmp_path)
    found = opened(bare)
    protect(bare, automerge="true")
    assert not forge_of(bare).protection("main").holds
    with pytest.raises(Stopped, match="not merged automatically"):
        forge_of(bare).automerge(found.number)
    protect(bare, reviews="1", automerge="false")
    with pytest.raises(Stopped, match="automerge is not configured"):
        forge_of(bare).automerge(found.number)
    assert forge_of(bare).pull_requests()[0].state is PullRequestState.OPEN


def test_automerge_waits_for_checks_and_reviews_of_this_very_commit(tmp_path: Path) -> None:
    """Harm: an approval of an older commit, or a failed check, lets a change through."""
    bare = repository(tmp_path)
    found = opened(bare)
    protect(bare, reviews="1", checks="finops/policy", automerge="true")
    assert forge_of(bare).automerge(found.number).state is PullRequestState.OPEN
    forge_of(bare).set_status(found.head_sha, "finops/policy", CheckState.FAILURE, "denied")
    approve(bare, found.number, found.base_sha)
    assert forge_of(bare).pull_requests()[0].state is PullRequestState.OPEN
    forge_of(bare).set_status(found.head_sha, "finops/policy", CheckState.SUCCESS, "allowed")
    assert forge_of(bare).pull_requests()[0].state is PullRequestState.OPEN
    approve(bare, found.number, found.head_sha)
    (now,) = forge_of(bare).pull_requests()
    assert (now.state, now.ended_at, now.ended_by) == (PullRequestState.MERGED, NOW, "finops")
    assert now.merge_sha == forge_of(bare).head("main")


def test_a_person_cannot_merge_past_the_protection_either(tmp_path: Path) -> None:
    """Harm: `finops pr merge` is a way around the review that the branch asks for."""
    bare = repository(tmp_path)
    found = opened(bare)
    protect(bare, reviews="2")
    approve(bare, found.number, found.head_sha)
    with pytest.raises(Stopped, match="1 of 2 reviews"):
        forge_of(bare).merge(found.number)
    approve(bare, found.number, found.head_sha, "bo")
    assert forge_of(bare).merge(found.number).state is PullRequestState.MERGED


def test_a_number_of_reviews_that_cannot_be_read_is_not_none(tmp_path: Path) -> None:
    """Harm: a slip in the configuration takes the protection away."""
    bare = repository(tmp_path)
    protect(bare, reviews="two")
    assert forge_of(bare).protection("main").reviews == 1
    assert not forge_of(bare).protection("release").protected


def test_a_status_said_again_writes_nothing(tmp_path: Path) -> None:
    """Harm: every run adds a status to every commit."""
    bare = repository(tmp_path)
    head = forge_of(bare).head("main")
    forge_of(bare).set_status(head, "a", CheckState.PENDING, "waits")
    forge_of(bare).set_status(head, "b", CheckState.SUCCESS, "good")
    before = git(bare, "for-each-ref")
    forge_of(bare).set_status(head, "a", CheckState.PENDING, "waits")
    assert git(bare, "for-each-ref") == before
    said = git(bare, "cat-file", "blob", f"refs/finops/statuses/{head}")
    assert '"waits"' in said
    assert '"good"' in said
    with pytest.raises(Stopped):
        forge_of(bare).set_status("../heads/main", "a", CheckState.SUCCESS, "x")


def test_a_revert_by_plain_git_is_seen_and_its_own_revert_too(tmp_path: Path) -> None:
    """Harm: a change that people took back is counted as a success and proposed again."""
    bare = repository(tmp_path)
    found = opened(bare)
    merged = forge_of(bare).merge(found.number)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(bare), str(clone))
    git(clone, "config", "user.name", "Ann")
    git(clone, "revert", "--no-edit", "-m", "1", merged.merge_sha)
    git(clone, "push", "-q", "origin", "main")
    (now,) = forge_of(bare).pull_requests()
    assert (now.state, now.merge_sha) == (PullRequestState.REVERTED, merged.merge_sha)
    assert now.ended_by
    assert now.ended_at is not None
    git(clone, "revert", "--no-edit", "HEAD")
    git(clone, "push", "-q", "origin", "main")
    assert [one.state for one in forge_of(bare).pull_requests()] == [PullRequestState.MERGED]


@pytest.mark.parametrize("how", ["--no-ff", "--ff-only"])
def test_who_merged_by_plain_git_and_by_which_commit_is_kept(tmp_path: Path, how: str) -> None:
    """Harm: nobody can say who let a change in, and its revert is not recognised."""
    bare = repository(tmp_path)
    found = opened(bare)
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(bare), str(clone))
    git(clone, "merge", "-q", how, f"origin/{found.branch}")
    merge = git(clone, "rev-parse", "HEAD").strip()
    (clone / "other").write_text("x")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "later")
    git(clone, "push", "-q", "origin", "main")
    (now,) = forge_of(bare).pull_requests()
    assert (now.state, now.merge_sha) == (PullRequestState.MERGED, merge)
    assert now.ended_by == git(clone, "show", "-s", "--format=%cn", merge).strip()


def test_a_deleted_branch_ends_when_it_is_first_seen(tmp_path: Path) -> None:
    """Harm: the cool-off of a no never begins, or begins anew with every run."""
    bare = repository(tmp_path)
    found = opened(bare)
    git(bare, "branch", "-q", "-D", found.branch)
    (first,) = forge_of(bare).pull_requests()
    later = LocalForge(bare, now=NOW.replace(year=2027)).pull_requests()
    assert (first.state, first.ended_at) == (PullRequestState.REJECTED, NOW)
    assert later == [first]


def test_labels_are_added_and_removed_once(tmp_path: Path) -> None:
    """Harm: a label that people set to stop the product is lost or doubled."""
    bare = repository(tmp_path)
    found = opened(bare)
    forge_of(bare).label(found.number, add=["finops/stop", "finops"], remove=["not there"])
    assert forge_of(bare).pull_requests()[0].labels == ("finops", "finops/stop")
    forge_of(bare).label(found.number, remove=["finops/stop"])
    assert forge_of(bare).pull_requests()[0].labels == ("finops",)


def test_a_new_file_gets_its_folders_and_never_replaces_anything(tmp_path: Path) -> None:
    """Harm: an overlay overwrites a person's file, or lands behind a link or in Git's own."""
    bare = repository(tmp_path)
    forge, base = forge_of(bare), forge_of(bare).head("main")

    def new(path: str) -> ChangeSet:
        edit = Edit(file=path, start_byte=0, end_byte=0, before="", after="a: 1\n", creates=True)
        return change(bare, edit)

    assert forge.write_branch("finops/x-1", base, new("apps/over/lay/patch.yaml"), "m")
    assert git(bare, "show", "finops/x-1:apps/over/lay/patch.yaml") == "a: 1\n"
    assert git(bare, "show", f"finops/x-1:{WEB}").encode() == deployment("web")
    for path in (WEB, "apps", f"{WEB}/x", "../x", ".git/config", "a//b", "/etc/x"):
        with pytest.raises(Stopped):
            forge.write_branch("finops/x-2", base, new(path), "m")


def test_a_tick_of_a_person_is_never_written_over(tmp_path: Path) -> None:
    """Harm: the run that renews the dashboard wipes out a choice made a second before."""
    bare = repository(tmp_path)
    forge = forge_of(bare)
    assert forge.issue("dashboard") is None
    first = forge.write_issue("dashboard", "Board", "- [ ] open")
    forge.write_issue("dashboard", "Board", "- [x] open")
    with pytest.raises(Unavailable, match="changed meanwhile"):
        forge.write_issue("dashboard", "Board", "- [ ] other", replaces=first.body)
    found = forge.issue("dashboard")
    assert found is not None
    assert (found.number, found.body) == (first.number, "- [x] open")
    before = git(bare, "for-each-ref")
    forge.write_issue("dashboard", "Board", "- [x] open", replaces="- [x] open")
    assert git(bare, "for-each-ref") == before


def test_runners_at_once_make_one_issue_and_lose_no_status(tmp_path: Path) -> None:
    """Harm: two runners keep two dashboards, or one's check disappears."""
    bare = repository(tmp_path)
    head = forge_of(bare).head("main")

    def work(number: int) -> None:
        forge_of(bare).write_issue("dashboard", "Board", "same")
        forge_of(bare).set_status(head, f"check-{number}", CheckState.SUCCESS, "good")

    threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(git(bare, "for-each-ref", "refs/finops/issues").splitlines()) == 1
    said = git(bare, "cat-file", "blob", f"refs/finops/statuses/{head}")
    assert [f"check-{n}" in said for n in range(6)] == [True] * 6


def test_rights_are_told(tmp_path: Path) -> None:
    """Harm: a repository that cannot be written is found out in the middle of a run."""
    bare = repository(tmp_path)
    assert [(one.name, one.given) for one in forge_of(bare).permissions()] == [
        ("write objects", True), ("write refs", True),
    ]  # fmt: skip


def test_what_is_written_is_signed_where_a_key_is_given(tmp_path: Path) -> None:
    """Harm: a branch that demands signatures refuses every change."""
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    key = tmp_path / "key"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "finops", "-f", str(key)], check=True
    )
    allowed = tmp_path / "allowed"
    allowed.write_text(f"finops@localhost {key.with_suffix('.pub').read_text()}")
    bare = repository(tmp_path / "bare")
    forge = LocalForge(bare, now=NOW, signer=Signer(key.read_text()))
    changes = edited(bare)
    head = forge.write_branch("finops/web-1", changes.base_sha, changes, "Lower it\n\nbecause\n")
    git(bare, "-c", f"gpg.ssh.allowedSignersFile={allowed}", "verify-commit", head)
    assert git(bare, "show", "-s", "--format=%B", head).strip() == "Lower it\n\nbecause"
    later = LocalForge(bare, now=NOW.replace(year=2027), signer=Signer(key.read_text()))
    assert later.write_branch("finops/web-1", changes.base_sha, changes, "Other") == head
