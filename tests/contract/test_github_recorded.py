"""Our reading of GitHub's answers, held against exchanges that were recorded with GitHub itself.

The recordings are octokit's (../shared/data/github/octokit_fixtures, with their licence).
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from finops_dagster.domain.errors import Unavailable
from finops_dagster.domain.pull_requests import CheckState
from finops_dagster.gitops.github.forge import GitHubForge, Patience
from tests.builders import NOW

RECORDED = (
    Path(__file__).parents[3]
    / "shared/data/github/octokit_fixtures/scenarios/api.github.com"
)  # fmt: skip
OWNER = "octokit-fixture-org"
COMMIT = f"{1:040}"

pytestmark = pytest.mark.skipif(
    not RECORDED.is_dir(), reason="../shared/data/github/octokit_fixtures is not there"
)


class Replay(ThreadingHTTPServer):
    """Answers each call with what was recorded for it, in the recorded order."""

    def __init__(self, scenario: str, extra: dict[tuple[str, str], Any]) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.url = f"http://localhost:{self.server_address[1]}"
        self.asked: list[tuple[str, str, Any]] = []
        text = (RECORDED / scenario / "normalized-fixture.json").read_text("utf-8")
        self._left = json.loads(text.replace("https://api.github.com", self.url))
        self._extra = extra

    def answer(self, method: str, path: str, content: Any) -> tuple[int, dict[str, str], Any]:
        self.asked.append((method, path, content))
        wanted = urlsplit(path)
        for place, one in enumerate(self._left):
            recorded = urlsplit(one["path"])
            page = [part for part in recorded.query.split("&") if part.startswith("page=")]
            same_page = all(part in wanted.query for part in page)
            if (one["method"].upper(), recorded.path) == (method, wanted.path) and same_page:
                del self._left[place]
                return one["status"], one["headers"], one["response"]
        found = self._extra.get((method, wanted.path))
        return (200, {}, found) if found is not None else (404, {}, {"message": "Not Found"})


class _Handler(BaseHTTPRequestHandler):
    server: Replay

    def _serve(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = json.loads(data) if data else None
        status, headers, body = self.server.answer(self.command, self.path, content)
        payload = json.dumps(body).encode() if body != "" else b""
        self.send_response(status)
        for key, value in headers.items():
            if key.lower() in ("location", "link", "etag", "x-oauth-scopes", "content-type"):
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        return


def forge(replay: Replay, name: str) -> GitHubForge:
    return GitHubForge(
        replay.url, f"{OWNER}/{name}", "a-token", now=NOW, patience=Patience(attempts=1),
        sleep=lambda _: None,
    )  # fmt: skip


@pytest.fixture
def replay(request: pytest.FixtureRequest) -> Iterator[Replay]:
    scenario, extra = request.param
    server = Replay(scenario, extra)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("replay", [("create-status", {})], indirect=True)
def test_a_status_that_was_recorded_is_not_written_again(replay: Replay) -> None:
    """Harm: each run says the same of each commit again."""
    there = forge(replay, "create-status")
    there.set_status(COMMIT, "example/2", CheckState.SUCCESS, "create-status success test")
    assert [method for method, _, _ in replay.asked] == ["GET"]


@pytest.mark.parametrize("replay", [("create-status", {})], indirect=True)
def test_a_status_is_written_as_it_was_recorded(replay: Replay) -> None:
    """Harm: GitHub takes the call for another's, and no verdict is shown."""
    forge(replay, "create-status").set_status(COMMIT, "example/1", CheckState.PENDING, "waits")
    method, path, content = replay.asked[-1]
    assert (method, path) == ("POST", f"/repos/{OWNER}/create-status/statuses/{COMMIT}")
    assert content == {"state": "pending", "context": "example/1", "description": "waits"}


REPOSITORY = {
    ("GET", f"/repos/{OWNER}/branch-protection"): {"allow_auto_merge": True},
    ("GET", f"/repos/{OWNER}/branch-protection/branches/main"): {"protected": True},
    ("GET", f"/repos/{OWNER}/branch-protection/rules/branches/main"): [],
}


@pytest.mark.parametrize("replay", [("branch-protection", REPOSITORY)], indirect=True)
def test_recorded_protection_is_read(replay: Replay) -> None:
    """Harm: a protected branch counts as open, or an open one as protected."""
    there = forge(replay, "branch-protection")
    unprotected = there.protection("main")
    assert not unprotected.holds
    # what a PUT answers has the shape that a GET has
    put = [one for one in replay._left if one["method"] == "put"][-1]
    put["method"] = "get"
    asked = put["response"]["required_pull_request_reviews"]
    protected = there.protection("main")
    assert protected.checks == ("foo/bar",)
    assert protected.reviews == asked.get("required_approving_review_count", 0)
    assert protected.holds


@pytest.mark.parametrize("replay", [("rename-repository", {})], indirect=True)
def test_a_recorded_rename_is_followed(replay: Replay) -> None:
    """Harm: a write that GitHub redirects counts as done."""
    there = forge(replay, "rename-repository")
    replay.answer("PATCH", f"/repos/{OWNER}/rename-repository", None)  # the renaming itself
    assert there._request("GET", "")[1]["name"] == "rename-repository-newname"
    changed = there._request("PATCH", "", {"description": "test description"})[1]
    assert changed["description"] == "test description"
    assert there._transport.moved_to == f"{replay.url}/repositories/1000"


@pytest.mark.parametrize("replay", [("paginate-issues", {})], indirect=True)
def test_recorded_pages_are_all_read(replay: Replay) -> None:
    """Harm: what is on the second page does not exist."""
    issues = forge(replay, "paginate-issues")._repository().get_issues()
    assert [one.number for one in issues] == list(range(13, 0, -1))
    assert len(replay.asked) == 5


@pytest.mark.parametrize("replay", [("add-labels-to-issue", {})], indirect=True)
def test_a_label_is_added_as_it_was_recorded(replay: Replay) -> None:
    """Harm: labels that steer the bot never arrive."""
    forge(replay, "add-labels-to-issue").label(1, add=["Foo"])
    path = f"/repos/{OWNER}/add-labels-to-issue/issues/1/labels"
    assert replay.asked == [("POST", path, {"labels": ["Foo"]})]


@pytest.mark.parametrize("replay", [("errors", {})], indirect=True)
def test_a_recorded_refusal_is_told(replay: Replay) -> None:
    """Harm: "Validation Failed" tells nobody what to mend."""
    there = forge(replay, "errors")
    with pytest.raises(Unavailable) as raised:
        there._calls.attempt(lambda: there._request("POST", "/labels", {"name": "foo"}))
    assert "Validation Failed" in str(raised.value)
    assert "Label color invalid" in str(raised.value)


@pytest.mark.parametrize("replay", [("git-refs", {})], indirect=True)
def test_references_are_written_as_they_were_recorded(replay: Replay) -> None:
    """Harm: a branch is not made, moved or deleted, and nobody notices."""
    there = forge(replay, "git-refs")
    there._point("test", f"{2:040}", exists=False)
    there._point("test", f"{1:040}", exists=True)
    there._delete("test")
    assert [(method, path) for method, path, _ in replay.asked] == [
        ("POST", f"/repos/{OWNER}/git-refs/git/refs"),
        ("PATCH", f"/repos/{OWNER}/git-refs/git/refs/heads/test"),
        ("DELETE", f"/repos/{OWNER}/git-refs/git/refs/heads/test"),
    ]
