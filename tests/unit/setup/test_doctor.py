"""The doctor finds what is wrong with an estate, and says what to do."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from github import Auth

from finops_dagster.domain.decisions import Rung
from finops_dagster.domain.errors import Fault, Stopped, Unavailable
from finops_dagster.domain.pull_requests import Permission, Protection
from finops_dagster.settings import Settings
from finops_dagster.setup.checks import Check, Outcome, Probes
from finops_dagster.setup.doctor import doctor
from finops_dagster.setup.forge import check_forge
from finops_dagster.setup.repository import check_github, check_local


def probes(**replaced: Any) -> Probes:
    given: dict[str, Any] = {
        "deliveries": lambda group, name: 3,
        "policies": lambda: "policies-0123",
        "allocation": lambda: "2 teams, 1 rules, 0 shared costs",
        "permissions": lambda: (),
        "protection": lambda branch: Protection(branch=branch, protected=False, reason="no rule"),
        "may_edit": lambda file, globs: any(fnmatch(file, glob) for glob in globs),
    }
    return Probes(**{**given, **replaced})


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A bare repository with one file on main."""
    work, bare = tmp_path / "work", tmp_path / "gitops.git"
    work.mkdir()
    (work / "apps").mkdir()
    (work / "apps/a.yaml").write_text("a: 1\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(work)]
    for command in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-q", "-m", "first"]):
        subprocess.run([*git, *command], check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(work), str(bare)], check=True)
    return bare


@pytest.fixture
def settings(tmp_path: Path, repository: Path) -> Settings:
    (tmp_path / "bill.csv").write_text("BilledCost\n")
    (tmp_path / "telemetry").mkdir()
    (tmp_path / "telemetry/part.parquet").write_bytes(b"x")
    return Settings(
        estate="acme",
        state_dir=tmp_path / ".finops",
        billing=[{"name": "cloud", "path": tmp_path / "bill.csv"}],
        telemetry=[{"name": "t", "path": tmp_path / "telemetry"}],
        desired_state={"repository": str(repository), "allowed_paths": ["apps/*.yaml"]},
    )


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_sound_estate_passes(settings: Settings) -> None:
    """A doctor that cries wolf is not asked again."""
    checks = doctor(settings, probes())
    found = [check for check in checks if check.result is Outcome.FAIL]
    assert found == []
    assert by_name(checks)["allowed_paths apps/*.yaml"].detail == "1 file"
    assert by_name(checks)["billing cloud"].result is Outcome.OK
    assert not settings.state_dir.exists(), "a check must not make what it checks"


def test_every_check_that_is_not_ok_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    """A fault without a next step is a riddle."""
    broken = settings.model_copy(
        update={
            "policies": tmp_path / "rules",
            "carbon": settings.telemetry,
            "predictions": settings.telemetry,
            "desired_state": settings.desired_state.model_copy(  # type: ignore[union-attr]
                update={"branch": "trunk"}
            ),
        }
    )

    def no_policies() -> str:
        fault = Fault(code="rego", file="a.rego", row=3, expected="A rule.", hint="Close it.")
        raise Stopped("bundle does not load", (fault,))

    checks = doctor(broken, probes(policies=no_policies, deliveries=lambda group, name: 0))
    named = by_name(checks)
    assert named["policies"].result is Outcome.FAIL
    assert "a.rego" in named["policies"].fix
    assert named["branch"].result is Outcome.FAIL
    assert "main" in named["branch"].fix
    assert named["billing cloud"].result is Outcome.WARN
    assert named["clusters"].result is Outcome.WARN
    assert named["models"].result is Outcome.WARN
    for check in checks:
        assert bool(check.fix) == (check.result is not Outcome.OK), check


def test_an_allocation_file_is_read(settings: Settings, tmp_path: Path) -> None:
    """A rule that means nothing must be told before the night in which it stops the run."""
    assert "allocation file" not in by_name(doctor(settings, probes()))
    (tmp_path / "allocation.yaml").write_text("rules: []\n")
    named = settings.model_copy(update={"allocation": tmp_path / "allocation.yaml"})
    told = by_name(doctor(named, probes()))["allocation file"]
    assert (told.result, told.detail) == (Outcome.OK, "2 teams, 1 rules, 0 shared costs")

    def broken() -> str:
        fault = Fault(code="bad_value", file="a.yaml", row=3, expected="A team.", hint="Name it.")
        raise Stopped("cannot be used", (fault,))

    told = by_name(doctor(named, probes(allocation=broken)))["allocation file"]
    assert told.result is Outcome.FAIL
    assert "a.yaml, row 3" in told.fix


def test_paths_that_do_not_exist_fail(settings: Settings, tmp_path: Path) -> None:
    """A missing export must be told by its key, not by a stack trace of the landing."""
    (tmp_path / "bill.csv").unlink()
    named = by_name(doctor(settings, probes()))
    assert named["billing[0].path"].result is Outcome.FAIL
    assert "billing cloud" not in named


def test_a_glob_without_a_file_is_told(settings: Settings) -> None:
    """A mistyped glob looks like an estate with nothing to propose."""
    desired = settings.desired_state
    assert desired is not None
    wrong = desired.model_copy(update={"allowed_paths": ("appz/*.yaml",)})
    named = by_name(doctor(settings.model_copy(update={"desired_state": wrong}), probes()))
    assert named["allowed_paths appz/*.yaml"].result is Outcome.WARN


def test_state_under_a_file_fails(settings: Settings, tmp_path: Path) -> None:
    """The first write would fail after minutes of reading."""
    wrong = settings.model_copy(update={"state_dir": tmp_path / "bill.csv" / "state"})
    assert by_name(doctor(wrong, probes()))["state_dir"].result is Outcome.FAIL


def test_variables_that_set_nothing_are_told(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FINOPS_ACTT=false leaves act as it is."""
    monkeypatch.setenv("FINOPS_ACTT", "false")
    assert by_name(doctor(settings, probes()))["FINOPS_ACTT"].result is Outcome.WARN


def test_a_folder_that_is_no_repository_fails(tmp_path: Path) -> None:
    """Git would look for a repository in the folders above and edit that."""
    checks, files = check_local(tmp_path, "main")
    assert checks[0].result is Outcome.FAIL
    assert files == []


class _Hub(BaseHTTPRequestHandler):
    push = True

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != "token good":
            self._answer(401, {"message": "Bad credentials"})
        elif self.path == "/repos/acme/gitops":
            permissions = {"push": self.push, "pull": True}
            self._answer(
                200,
                {
                    "full_name": "acme/gitops",
                    "url": f"http://{self.headers['Host']}/repos/acme/gitops",
                    "permissions": permissions,
                },
            )
        elif self.path == "/repos/acme/gitops/branches/main":
            self._answer(200, {"name": "main", "commit": {"sha": "a" * 40}})
        elif self.path.startswith("/repos/acme/gitops/git/trees/"):
            self._answer(200, {"sha": "a" * 40, "tree": [{"path": "a.yaml", "type": "blob"}]})
        else:
            self._answer(404, {"message": "Not Found"})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        payload = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def hub() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Hub)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_github_that_answers_passes(hub: str) -> None:
    """Branch and files must be those of the repository asked for."""
    checks, files = check_github(hub, "acme/gitops", "main", Auth.Token("good"), acts=True)
    assert [check.result for check in checks] == [Outcome.OK, Outcome.OK]
    assert files == ["a.yaml"]


@pytest.mark.parametrize(
    ("token", "repository", "branch", "name", "says"),
    [
        (None, "acme/gitops", "main", "github token", "none"),
        ("bad", "acme/gitops", "main", "github token", "refused"),
        ("good", "acme/none", "main", "github", "no acme/none"),
        ("good", "acme/gitops", "trunk", "github", "branch trunk"),
    ],
)
def test_github_faults_are_told_apart(
    hub: str, token: str | None, repository: str, branch: str, name: str, says: str
) -> None:
    """A wrong token and a wrong name need different people."""
    auth = Auth.Token(token) if token is not None else None
    checks, _ = check_github(hub, repository, branch, auth, acts=True)
    assert (checks[0].name, checks[0].result) == (name, Outcome.FAIL)
    assert says in checks[0].detail
    assert token is None or token not in checks[0].detail


def test_github_token_that_may_not_push_fails_only_when_acting(
    hub: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dry run needs to read only; an acting run must not find out half-way."""
    monkeypatch.setattr(_Hub, "push", False)
    acting, _ = check_github(hub, "acme/gitops", "main", Auth.Token("good"), acts=True)
    looking, _ = check_github(hub, "acme/gitops", "main", Auth.Token("good"), acts=False)
    assert acting[-1].result is Outcome.FAIL
    assert looking[-1].result is Outcome.WARN


def test_github_that_does_not_answer_fails() -> None:
    """A refused connection must be a sentence, not a stack trace."""
    checks, _ = check_github(
        "http://127.0.0.1:1", "acme/gitops", "main", Auth.Token("good"), acts=True
    )
    assert checks[0].result is Outcome.FAIL
    assert "does not answer" in checks[0].detail


def test_a_remote_place_is_asked_and_its_refusal_told(settings: Settings) -> None:
    """No folder of this machine can say whether a bucket may be listed."""
    remote = settings.billing[0].model_copy(update={"path": "s3://bills/exports"})
    fault = Fault(
        code="source_denied", file="s3://bills/exports", expected="An answer.", hint="Permit it."
    )

    def denied(group: str, name: str) -> int:
        raise Unavailable("s3://bills/exports could not be listed", (fault,))

    changed = settings.model_copy(update={"billing": (remote,)})
    named = by_name(doctor(changed, probes(deliveries=denied)))
    assert "billing[0].path" not in named
    assert named["billing cloud"].result is Outcome.FAIL
    assert "Permit it." in named["billing cloud"].fix


RIGHTS = (
    Permission(name="contents", needed_for="write branches", given=True, detail="write"),
    Permission(name="issues", needed_for="keep the dashboard", given=False, detail="read"),
    Permission(name="statuses", needed_for="say the verdict", given=None, detail="write"),
    Permission(name="administration", needed_for="see reviews", given=False, detail="none"),
)


@pytest.mark.parametrize("acts", [False, True])
def test_each_right_is_held_against_the_minimum(settings: Settings, acts: bool) -> None:
    """Harm: the token lacks a right, and the run ends half-way through what it opens."""
    changed = settings.model_copy(update={"act": acts})
    named = by_name(check_forge(changed, probes(permissions=lambda: RIGHTS)))
    assert named["right contents"].result is Outcome.OK
    assert named["right issues"].result is (Outcome.FAIL if acts else Outcome.WARN)
    assert "issues" in named["right issues"].fix
    assert named["right statuses"].result is Outcome.WARN
    assert named["right administration"].result is Outcome.WARN, "nothing is done with it but told"


@pytest.mark.parametrize(
    ("found", "protection", "automerge", "says"),
    [
        (Protection(branch="main", protected=False, reason="no rule"), "warn", "warn", "not"),
        (Protection(branch="main", protected=True), "warn", "warn", "not protected"),
        (Protection(branch="main", protected=True, reviews=1), "ok", "warn", "allow"),
        (
            Protection(branch="main", protected=True, checks=("ci",), automerge=True),
            "ok", "ok", "by the forge",
        ),
    ],
)  # fmt: skip
def test_automerge_is_refused_where_nothing_holds(
    settings: Settings, found: Protection, protection: str, automerge: str, says: str
) -> None:
    """Harm: settings ask for automerge, and nobody learns why nothing merges, or all does."""
    changed = settings.model_copy(update={"autonomy": Rung.AUTOMERGE})
    named = by_name(check_forge(changed, probes(protection=lambda _: found)))
    assert named["protection of main"].result == protection
    assert named["automerge"].result == automerge
    assert says in named["automerge"].detail


def test_a_forge_that_does_not_answer_is_one_failure(settings: Settings) -> None:
    """Harm: an outage shows as a stack trace."""
    fault = Fault(code="github", expected="An answer.", hint="Try again later.")

    def silent() -> tuple[Permission, ...]:
        raise Unavailable("GitHub: no answer", (fault,))

    (check,) = check_forge(settings, probes(permissions=silent))
    assert check.result is Outcome.FAIL
    assert check.fix == "Try again later."
