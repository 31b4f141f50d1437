"""What only GitHub has: Apps, rate limits and ETags, repositories that move, signed commits."""

from __future__ import annotations

import logging
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest

from finops_dagster.cli.checking import checks
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.errors import SettingsError, Stopped, Unavailable
from finops_dagster.domain.pull_requests import CheckState, PullRequest, PullRequestState
from finops_dagster.gitops.git_objects import Author
from finops_dagster.gitops.github.answers import Answers
from finops_dagster.gitops.github.client import App
from finops_dagster.gitops.github.forge import GitHubForge, Patience
from finops_dagster.gitops.signing import Signer, commit_bytes, with_signature
from finops_dagster.settings import load
from tests.builders import NOW, git
from tests.contract.github_proxy import answered
from tests.contract.hosts import (
    APP_ID,
    APP_PERMISSIONS,
    INSTALLATION_ID,
    OWNER,
    TOKEN,
    GitHubHost,
    app_key,
)
from tests.contract.test_forge_seam import START, lower_cpu, now_of, opened


@pytest.fixture
def host(github_url: str) -> GitHubHost:
    return GitHubHost(github_url, START)


def forge(host: GitHubHost, access: str | App = TOKEN, **more: object) -> GitHubForge:
    return GitHubForge(
        host.url, host.name, access, now=NOW, patience=Patience(attempts=2),
        sleep=lambda _: None, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def app() -> App:
    return App(str(APP_ID), INSTALLATION_ID, app_key())


def test_an_app_writes_as_a_token_does(host: GitHubHost) -> None:
    """Harm: who may not hand out a personal token cannot run this at all."""
    change = lower_cpu(host)
    by_app = forge(host, app())
    head = by_app.write_branch("finops/x-0123456789abcdef", change.base_sha, change, "Lower it")
    assert host.parents(head) == [change.base_sha]
    assert by_app.head("main") == change.base_sha


def test_an_apps_rights_are_those_it_was_granted(host: GitHubHost) -> None:
    """Harm: the App lacks a right, and the doctor shows the owner's instead."""
    told = {one.name: one for one in forge(host, app()).permissions()}
    assert {name for name, one in told.items() if one.given} == set(APP_PERMISSIONS)
    assert told["administration"].given is False
    assert "read" in told["administration"].detail


def test_a_key_that_is_none_is_told_without_it(host: GitHubHost) -> None:
    """Harm: a private key that was pasted badly is printed into a log."""
    bad = App(str(APP_ID), INSTALLATION_ID, "-----BEGIN RSA PRIVATE KEY-----\ncanary4711\n")
    with pytest.raises(SettingsError) as raised:
        forge(host, bad).head("main")
    shown = str(raised.value) + repr(raised.value.faults) + repr(bad) + repr(forge(host, bad))
    assert "canary4711" not in shown
    assert "FINOPS_GITHUB_APP_KEY" in raised.value.faults[0].hint
    assert raised.value.__cause__ is None


def test_a_key_of_another_app_is_unavailable(host: GitHubHost) -> None:
    """Harm: a wrong App ends in a stack trace."""
    with pytest.raises(Unavailable) as raised:
        forge(host, App("999", INSTALLATION_ID, app_key())).head("main")
    assert "FINOPS_GITHUB_APP_KEY" in raised.value.faults[0].hint


def test_what_did_not_change_costs_nothing(host: GitHubHost, tmp_path: Path) -> None:
    """Harm: an hourly run uses up the rate limit that people's own tools need."""
    opened(host)
    answers = tmp_path / "answers"
    first = list(forge(host, answers=Answers(answers)).pull_requests())
    host.proxy.forget()
    again = list(forge(host, answers=Answers(answers)).pull_requests())
    assert again == first
    assert {call.status for call in host.proxy.calls} == {304}, host.proxy.calls
    forge(host, answers=Answers(answers)).label(1, add=["finops/rebase"])
    (changed,) = forge(host, answers=Answers(answers)).pull_requests()
    assert "finops/rebase" in changed.labels
    assert not [path for path in answers.rglob("*") if TOKEN.encode() in path.read_bytes()]


def test_every_page_is_read(host: GitHubHost, tmp_path: Path) -> None:
    """Harm: of more than a hundred pull requests those beyond the first page are opened again."""
    for number in range(3):
        opened(host, f"finops/web-{number:016x}")
    answers = Answers(tmp_path)
    for _ in range(2):  # the second time from what is kept, whose links must be kept, too
        paged = forge(host, answers=answers)
        paged._transport.per_page = 2
        assert [one.number for one in paged.pull_requests()] == [1, 2, 3]
    assert [call for call in host.proxy.calls if "page=2" in call.path]


def test_a_renamed_repository_is_followed(
    host: GitHubHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Harm: the repository is renamed, its pull requests are taken for a fork's, and all are
    opened again.
    """
    known = opened(host)
    host.rename("renamed")
    with caplog.at_level(logging.WARNING):
        (found,) = forge(host).pull_requests()
    assert "redirects" in caplog.text
    assert (found.number, found.branch) == (known.number, known.branch)
    again = forge(host).open(known)
    assert again.number == known.number
    forge(host).set_status(found.head_sha, "finops/policy", CheckState.SUCCESS, "allowed")
    forge(host).comment(found.number, "stopped", "said once")
    assert forge(host).close(found.number, PullRequestState.SUPERSEDED).state == "superseded"


def test_a_branch_of_an_open_pull_request_opens_no_second(host: GitHubHost) -> None:
    """Harm: two runners open the same twice, or the slower one fails for ever."""
    known = opened(host)
    racing = forge(host)
    looked = iter([None])
    found = racing._open_for
    # the other runner opens it after this one has looked
    racing._open_for = lambda branch: (
        next(looked, None)
        or (  # type: ignore[method-assign]
            found(branch) if [call for call in host.proxy.calls if call.status == 422] else None
        )
    )
    host.proxy.forget()
    assert racing.open(known).number == known.number
    assert [call.status for call in host.proxy.calls if call.method == "POST"] == [422]


def test_a_label_that_cannot_be_set_fails_nothing(
    host: GitHubHost, caplog: pytest.LogCaptureFixture
) -> None:
    """Harm: a pull request is not opened, or its state is lost, for want of a label."""
    host.proxy.inject(answered(403, "Resource not accessible by personal access token"),
                      path="/labels", times=100)  # fmt: skip
    one = opened(host)
    assert one.labels == ()
    assert "finops" in caplog.text
    forge(host).close(one.number, PullRequestState.SUPERSEDED)
    assert now_of(host, one.number).state is PullRequestState.SUPERSEDED


def test_a_status_that_may_not_be_set_fails_nothing(host: GitHubHost) -> None:
    """Harm: a token without that right cannot open anything."""
    head = opened(host).head_sha
    host.proxy.inject(answered(403, "Resource not accessible by personal access token"),
                      path="/statuses/", times=10)  # fmt: skip
    forge(host).set_status(head, "finops/policy", CheckState.SUCCESS, "allowed")
    assert host.proxy.github.newest_state(head) == ""


def test_a_blocked_merge_says_what_it_waits_for(host: GitHubHost) -> None:
    """Harm: a person is told that it conflicts where a review is missing."""
    one = opened(host)
    host.protect(reviews=1)
    with pytest.raises(Stopped, match="approving review"):
        forge(host).merge(one.number)
    assert now_of(host, one.number).state is PullRequestState.OPEN


def test_a_ruleset_counts_as_protection(host: GitHubHost) -> None:
    """Harm: a branch that is protected by a ruleset alone counts as open to all."""
    host.proxy.github.rules["main"] = [
        {"type": "deletion", "ruleset_id": 1},
        {"type": "pull_request", "parameters": {"required_approving_review_count": 2}},
        {
            "type": "required_status_checks",
            "parameters": {"required_status_checks": [{"context": "ci/test"}]},
        },
    ]
    told = forge(host).protection("main")
    assert (told.protected, told.reviews, told.checks) == (True, 2, ("ci/test",))
    assert told.reason == ""


def test_protection_that_may_not_be_read_is_said_so(host: GitHubHost) -> None:
    """Harm: what cannot be seen counts as asked for, or as not there."""
    host.protect(reviews=1)
    host.proxy.github.may_administrate = False
    told = forge(host).protection("main")
    assert told.protected and not told.holds
    assert "may not be read" in told.reason
    host.protect(reviews=1, checks=["ci/test"])
    told = forge(host).protection("main")
    assert told.holds and told.checks == ("ci/test",), "everybody may read which checks"


def test_a_fine_grained_token_is_told_by_what_it_may_read(host: GitHubHost) -> None:
    """Harm: the doctor calls a right given that GitHub does not tell of."""
    host.proxy.github.scopes = ""
    host.proxy.github.may_administrate = False
    host.proxy.inject(answered(403, "Resource not accessible by personal access token"),
                      path=r"/issues\?", times=10)  # fmt: skip
    told = {one.name: one.given for one in forge(host).permissions()}
    assert told == {
        "metadata": True, "contents": None, "pull_requests": None, "issues": False,
        "statuses": None, "administration": False,
    }  # fmt: skip


def test_a_superseded_one_that_a_person_opens_again_is_open(host: GitHubHost) -> None:
    """Harm: what was closed by us once counts as closed for ever, or a person's no is taken for
    ours.
    """
    one = opened(host)
    forge(host).close(one.number, PullRequestState.SUPERSEDED)
    later = opened(host)
    assert later.number != one.number
    host.close(later.number)
    assert now_of(host, later.number).state is PullRequestState.REJECTED


def test_a_pull_request_that_reverts_ours_is_a_revert(host: GitHubHost) -> None:
    """Harm: GitHub's own revert button goes unseen where its commits are squashed."""
    merged = forge(host).merge(opened(host).number)
    host.create_branch("revert-1", host.forge().head("main"))
    host.commit("revert-1", START)
    number = host.open_by_hand("revert-1", f"Reverts {host.name}#{merged.number}")
    assert now_of(host, merged.number).state is PullRequestState.MERGED, "not merged yet"
    host.merge_by_hand(number)
    assert now_of(host, merged.number).state is PullRequestState.REVERTED


@pytest.fixture
def ssh_key(tmp_path: Path) -> Path:
    if shutil.which("ssh-keygen") is None:
        pytest.skip("ssh-keygen is not installed")
    file = tmp_path / "id"
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(file)], check=True
    )
    return file


def test_a_signed_commit_is_what_git_verifies(
    host: GitHubHost, ssh_key: Path, tmp_path: Path
) -> None:
    """Harm: a branch that demands signed commits refuses ours, or takes what we did not write."""
    author = Author("finops", "finops@example.org")
    change = lower_cpu(host)
    message = "Lower it\n\nbecause\n"
    signed = forge(host, author=author, signer=Signer(ssh_key.read_text()))
    head = signed.write_branch("finops/x-0123456789abcdef", change.base_sha, change, message)
    tree = host.tree(head)
    assert host.proxy.github.messages[head] == message
    payload = commit_bytes(tree, (change.base_sha,), message, author, NOW)
    git(tmp_path, "init", "-q", "bare")
    repository = tmp_path / "bare"
    data = with_signature(payload, host.proxy.github.signatures[head])
    oid = subprocess.run(
        ["git", "-C", str(repository), "hash-object", "-t", "commit", "-w", "--stdin",
         "--literally"], input=data, capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    signers = tmp_path / "signers"
    signers.write_text(f"finops@example.org {ssh_key.with_suffix('.pub').read_text()}")
    verified = subprocess.run(
        ["git", "-C", str(repository), "-c", "gpg.format=ssh", "-c",
         f"gpg.ssh.allowedSignersFile={signers}", "verify-commit", oid],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert verified.returncode == 0, verified.stderr
    assert 'Good "git" signature for finops@example.org' in verified.stderr
    later = forge(host, author=author, signer=Signer(ssh_key.read_text()))
    later._now = NOW + timedelta(days=1)
    assert later.write_branch("finops/x-0123456789abcdef", change.base_sha, change, "m") == head


def test_an_app_without_a_key_leaves_signing_to_github(host: GitHubHost) -> None:
    """Harm: GitHub signs an App's commit only where no author is named."""
    change = lower_cpu(host)
    forge(host, app()).write_branch("finops/x-1", change.base_sha, change, "m")
    forge(host).write_branch("finops/x-2", change.base_sha, change, "m")
    by_app, by_token = host.proxy.github.commits[-2:]
    assert "author" not in by_app and "committer" not in by_app
    assert by_token["author"]["name"] == "finops"


def test_an_answer_that_is_kept_by_nobody_is_asked_in_full(host: GitHubHost) -> None:
    """Harm: a cache that cannot be written stops the run."""
    one: PullRequest = opened(host)
    broken = Answers(Path("/proc/nothing/here"))
    assert [x.number for x in forge(host, answers=broken).pull_requests()] == [one.number]
    assert OWNER in host.name


@pytest.mark.parametrize("by", ["token", "app"])
def test_the_doctor_lists_rights_and_protection(
    host: GitHubHost, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, by: str
) -> None:
    """Harm: settings, secrets and forge fit each other nowhere but in the tests of each."""
    (tmp_path / "bill.csv").write_text("BilledCost\n")
    asked = f"  app_id: '{APP_ID}'\n  installation_id: {INSTALLATION_ID}\n" if by == "app" else ""
    config = tmp_path / "finops.yaml"
    config.write_text(
        "estate: acme\nbilling: [{name: cloud, path: bill.csv}]\nautonomy: automerge\n"
        f"desired_state:\n  forge: github\n  api_url: {host.url}\n  repository: {host.name}\n"
        f'  allowed_paths: ["apps/**"]\n{asked}'
    )
    with pytest.raises(SettingsError, match="FINOPS_GITHUB"):
        Estate(load(config)).forge()
    if by == "app":
        (tmp_path / "key.pem").write_text(app_key())
        monkeypatch.setenv("FINOPS_GITHUB_APP_KEY_FILE", str(tmp_path / "key.pem"))
    else:
        monkeypatch.setenv("FINOPS_GITHUB_TOKEN", TOKEN)
    found = {check.name: check for check in checks(load(config), forge=True)}
    rights = {name: one.result for name, one in found.items() if name.startswith("right ")}
    assert len(rights) == 6
    assert rights["right contents"] == rights["right statuses"] == "ok"
    assert rights["right administration"] == ("warn" if by == "app" else "ok")
    assert found["automerge"].result == "warn" and "not protected" in found["automerge"].detail
    host.protect(checks=["finops/policy"])
    found = {check.name: check for check in checks(load(config), forge=True)}
    assert found["protection of main"].detail.startswith("check finops/policy")
    assert found["automerge"].result == "ok"
