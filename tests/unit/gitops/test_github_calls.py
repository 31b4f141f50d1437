"""GitHub's bad days: waited for where that helps, told plainly where it does not."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from finops_dagster.domain.errors import Unavailable
from finops_dagster.gitops.github.forge import GitHubForge, Patience
from tests.builders import NOW

TOKEN = "canary-token-4711"

Answer = tuple[int, dict[str, str], object]


class Script(ThreadingHTTPServer):
    """Answers requests in the order given, then with a reference."""

    answers: list[Answer]
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    server: Script

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        port = self.server.server_address[1]
        url = f"http://localhost:{port}/repos/acme/estate/git/refs/heads/main"
        target = {"sha": "a" * 40, "type": "commit", "url": url}
        good: Answer = (200, {}, {"ref": "refs/heads/main", "url": url, "object": target})
        status, headers, content = self.server.answers.pop(0) if self.server.answers else good
        data = json.dumps(content).encode()
        self.send_response(status)
        for key, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def script() -> Iterator[Script]:
    server = Script(("localhost", 0), Handler)
    server.answers, server.asked = [], []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def forge(script: Script, waits: list[float]) -> GitHubForge:
    return GitHubForge(
        f"http://localhost:{script.server_address[1]}", "acme/estate", TOKEN, now=NOW,
        patience=Patience(timeout_seconds=5, attempts=3), sleep=waits.append,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("answers", "waits"),
    [
        ([(502, {}, {"message": "bad gateway"})], [1.0]),
        ([(500, {}, {}), (503, {}, {})], [1.0, 2.0]),
        ([(429, {"Retry-After": "7"}, {"message": "slow down"})], [7.0]),
        ([(403, {"Retry-After": "9"}, {"message": "secondary rate limit"})], [9.0]),
        ([(403, {}, {"message": "You have exceeded a secondary rate limit."})], [60.0]),
    ],
)
def test_what_may_pass_is_waited_for(
    script: Script, answers: list[Answer], waits: list[float]
) -> None:
    """Harm: one hiccup of GitHub fails the daily run, or a rate limit is answered by hammering."""
    script.answers = list(answers)
    waited: list[float] = []
    assert forge(script, waited).head("main") == "a" * 40
    assert waited == waits
    assert len(script.asked) == len(answers) + 1


def test_the_primary_rate_limit_is_waited_for_until_its_reset(script: Script) -> None:
    """Harm: every retry is spent before the limit is lifted."""
    reset = str(int(time.time()) + 30)
    script.answers = [(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": reset}, {})]
    waited: list[float] = []
    assert forge(script, waited).head("main") == "a" * 40
    assert 25 < waited[0] <= 30


def test_a_limit_that_lasts_longer_than_we_wait_is_told_at_once(script: Script) -> None:
    """Harm: the run hangs for an hour, or goes on asking until GitHub bans it."""
    reset = int(time.time()) + 3600
    headers = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(reset)}
    script.answers = [(403, headers, {"message": "API rate limit exceeded"})]
    waited: list[float] = []
    with pytest.raises(Unavailable) as raised:
        forge(script, waited).head("main")
    assert waited == []
    assert len(script.asked) == 1
    (fault,) = raised.value.faults
    assert fault.code == "rate_limited"
    assert f"{datetime.fromtimestamp(reset, UTC):%H:%M}" in fault.hint


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422])
def test_what_will_not_pass_is_told_at_once(script: Script, status: int) -> None:
    """Harm: a wrong token is tried for minutes, and the message does not say what to do."""
    script.answers = [(status, {}, {"message": f"no, {TOKEN} @you\n# x"})]
    waited: list[float] = []
    with pytest.raises(Unavailable) as raised:
        forge(script, waited).head("main")
    told = str(raised.value) + repr(raised.value.faults)
    assert waited == []
    assert f"status {status}" in told
    assert raised.value.faults[0].hint
    assert TOKEN not in told
    assert raised.value.__cause__ is None


def test_giving_up_is_told(script: Script) -> None:
    """Harm: an outage ends in a stack trace."""
    script.answers = [(502, {}, {})] * 3
    with pytest.raises(Unavailable) as raised:
        forge(script, []).head("main")
    assert "502" in str(raised.value)
    assert len(script.asked) == 3
