"""A proxy before the emulated GitHub that records every call and injects what goes wrong.

What GitHub answers where the emulator answers otherwise is in github_semantics.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

from finops_dagster.gitops.github.client import Transport
from tests.contract.github_semantics import Asked, GitHubSemantics, Given

_REPOSITORY = re.compile(r"/repos/([^/?]+/[^/?]+)")
_REPOSITORY_BY_ID = re.compile(r"/repositories/(\d+)")
_RATE_LIMIT = 5000


@dataclass(frozen=True)
class Call:
    """One request, as it came, and how it was answered; None: without a whole answer."""

    method: str
    path: str
    status: int | None

    @property
    def writes(self) -> bool:
        return self.method != "GET"


@dataclass(frozen=True)
class Fault:
    """What goes wrong with a call."""

    name: str
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    forwarded: bool = False
    """Whether the call reaches GitHub all the same."""
    half: bool = False
    """Half of the answer comes, then the connection ends."""
    silent_seconds: float = 0
    """Nothing is said for so long, then the connection ends."""


def answered(status: int, message: str, **headers: str) -> Fault:
    """An error as GitHub words it."""
    body = {"message": message, "documentation_url": "https://docs.github.com/rest"}
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Fault(f"{status}{' with headers' if headers else ''}", status, named, body)


FAULTS = {
    fault.name: fault
    for fault in (
        answered(401, "Bad credentials"),
        answered(403, "Resource not accessible by integration"),
        answered(403, "You have exceeded a secondary rate limit.", retry_after="1"),
        answered(404, "Not Found"),
        answered(409, "Git Repository is empty."),
        answered(422, "Validation Failed"),
        answered(429, "Too Many Requests"),
        answered(500, "Server Error"),
        Fault("502", 502, {"Content-Type": "text/html"}, "<html>Bad Gateway</html>"),
        Fault("timeout", silent_seconds=1.2),
        Fault("refused"),
        Fault("half an answer", forwarded=True, half=True),
        Fault("lost answer", forwarded=True),
    )
}
"""By name. `403 with headers` is a limit that asks to wait."""


class Recorder:
    """One repository's calls, in order, and what is to go wrong with them."""

    def __init__(self, semantics: GitHubSemantics) -> None:
        self.github = semantics
        self.calls: list[Call] = []
        self._plans: list[Callable[[int, str, str], Fault | None]] = []
        self._arrived = 0
        self._lock = threading.Lock()

    def count(self, *, writes: bool | None = None) -> int:
        """Calls so far, or those that write (or do not)."""
        return sum(writes in (None, call.writes) for call in self.calls)

    def forget(self) -> None:
        """Count from here, without anything that was to go wrong."""
        with self._lock:
            self.calls, self._plans, self._arrived = [], [], 0

    def inject(
        self,
        fault: Fault | str,
        *,
        at: int | None = None,
        method: str | None = None,
        path: str = "",
        times: int = 1,
    ) -> None:
        """Let it go wrong at the `at`-th call (from 0) from now on, and `times` in all; or with
        the next calls of a method whose path matches the regular expression.
        """
        chosen = FAULTS[fault] if isinstance(fault, str) else fault
        left = times
        start = self._arrived

        def plan(number: int, verb: str, address: str) -> Fault | None:
            nonlocal left
            if left <= 0 or (at is not None and number < start + at):
                return None
            if method not in (None, verb) or not re.search(path, address):
                return None
            left -= 1
            return chosen

        self._plans.append(plan)

    def arrive(self, method: str, path: str) -> Fault | None:
        with self._lock:
            number, self._arrived = self._arrived, self._arrived + 1
            for plan in self._plans:
                fault = plan(number, method, path)
                if fault is not None:
                    return fault
        return None


class Proxy(ThreadingHTTPServer):
    """Serves on a free port what the emulator at `upstream` serves."""

    daemon_threads = True

    def __init__(self, upstream: str, spares: Mapping[str, Sequence[str]]) -> None:
        super().__init__(("localhost", 0), _Handler)
        self.upstream = upstream
        self._spares = {token: itertools.cycle(others) for token, others in spares.items()}
        self.url = f"http://localhost:{self.server_address[1]}"
        self.charged = 0
        """Calls that count against the rate limit."""
        self._recorders: dict[str, Recorder] = {}
        self._moved: dict[str, str] = {}
        self._lock = threading.Lock()

    def authorization(self, header: str) -> str:
        """The same person by another of its tokens: the emulator's own limit is for each token."""
        scheme, _, token = header.partition(" ")
        return f"{scheme} {next(self._spares[token])}" if token in self._spares else header

    def recorder(self, repository: str) -> Recorder:
        """Of OWNER/NAME."""
        with self._lock:
            key = repository.lower()
            if key not in self._recorders:
                self._recorders[key] = Recorder(GitHubSemantics(self.upstream, repository))
            return self._recorders[key]

    def rename(self, repository: str, new_name: str) -> None:
        """A person renames a repository; its old name redirects from now on."""
        recorder = self.recorder(repository)
        recorder.github.rename(new_name)
        owner = repository.partition("/")[0]
        self._recorders[f"{owner}/{new_name}".lower()] = recorder
        self._moved[repository.lower()] = str(recorder.github.id)

    def moved(self, path: str) -> str | None:
        """Where a path below a renamed repository is found now."""
        found = _REPOSITORY.match(path)
        number = self._moved.get(found[1].lower()) if found else None
        return f"/repositories/{number}{path[found.end() :]}" if found and number else None

    def of(self, path: str, content: Any) -> Recorder | None:
        """Whose call it is: by its path, by its number, or by the pull request it names."""
        found = _REPOSITORY.match(path)
        if found:
            return self.recorder(found[1])
        by_id = _REPOSITORY_BY_ID.match(path)
        for recorder in set(self._recorders.values()):
            if by_id and str(recorder.github.known_id) == by_id[1]:
                return recorder
            if path == "/graphql" and recorder.github.knows(content):
                return recorder
        return None


_PROXIES: dict[str, Proxy] = {}


def proxy_at(url: str) -> Proxy:
    """The running proxy that has this address."""
    return _PROXIES[url]


@contextmanager
def proxied(upstream: str, spares: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """Address of a proxy before `upstream`; `spares`: token -> others of the same person."""
    proxy = Proxy(upstream, spares)
    threading.Thread(target=proxy.serve_forever, daemon=True).start()
    _PROXIES[proxy.url] = proxy
    try:
        yield proxy.url
    finally:
        del _PROXIES[proxy.url]
        proxy.shutdown()
        proxy.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Proxy
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_PATCH(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, *_: object) -> None:
        return

    def _serve(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content = json.loads(data) if data else None
        recorder = self.server.of(self.path, content)
        fault = recorder.arrive(self.command, self.path) if recorder else None
        status, answer = self._answer(recorder, fault, content)
        if recorder is not None:
            # before it is sent: who reads the answer may count at once
            recorder.calls.append(Call(self.command, self.path, status))
        if fault is not None and fault.silent_seconds:
            time.sleep(fault.silent_seconds)
        if status is None:
            self.close_connection = True
        self.wfile.write(answer)

    def _answer(
        self, recorder: Recorder | None, fault: Fault | None, content: Any
    ) -> tuple[int | None, bytes]:
        """(status, bytes to send): None where that is no whole answer."""
        if fault is not None and not fault.forwarded:
            if not fault.status:
                return None, b""
            return self._written(Given(fault.status, fault.body, fault.headers))
        status, answer = self._written(self._ask(recorder, content))
        if fault is None:
            return status, answer
        _, _, body = answer.partition(b"\r\n\r\n")
        return None, answer[: len(answer) - len(body) // 2 - 1] if fault.half else b""

    def _ask(self, recorder: Recorder | None, content: Any) -> Given:
        path = self.path
        moved = self.server.moved(path)
        if moved is not None:
            url = f"{self.server.url}{moved}"
            status = 301 if self.command == "GET" else 307
            word = "Moved Permanently" if status == 301 else "Temporary Redirect"
            return Given(status, {"message": word, "url": url}, {"Location": url})
        if path.endswith("/access_tokens") and content == {"permissions": {}}:
            content = {}  # GitHub grants all that the installation has; the emulator nothing
        authorization = self.server.authorization(self.headers.get("Authorization", ""))
        asked = Asked(self.command, path, content, authorization)
        if recorder is None:
            given = asked.forwarded(self.server.upstream)
        else:
            by_id = _REPOSITORY_BY_ID.match(path)
            if by_id:
                asked = asked.at(f"/repos/{recorder.github.name}{path[by_id.end() :]}")
            given = recorder.github.answer(asked)
            if recorder.github.scopes:
                told = {**given.headers, "X-OAuth-Scopes": recorder.github.scopes}
                given = replace(given, headers=told)
        return given

    def _written(self, given: Given) -> tuple[int, bytes]:
        upstream, here = self.server.upstream.encode(), self.server.url.encode()
        data = b"" if given.body is None else given.text.encode().replace(upstream, here)
        headers = {"Content-Type": "application/json; charset=utf-8", **given.headers}
        status = given.status
        if self.command == "GET" and status == 200:
            headers["ETag"] = f'W/"{hashlib.sha256(data).hexdigest()}"'
            if self.headers.get("If-None-Match") == headers["ETag"]:
                status, data = 304, b""
                headers.pop("Link", None)
        if status != 304:
            self.server.charged += 1
        headers["X-RateLimit-Limit"] = str(_RATE_LIMIT)
        headers.setdefault("X-RateLimit-Remaining", str(_RATE_LIMIT - self.server.charged))
        lines = [f"HTTP/1.1 {status} -", f"Content-Length: {len(data)}"]
        lines += [f"{key}: {value}" for key, value in headers.items()]
        head = "\r\n".join(lines).replace(self.server.upstream, self.server.url)
        return status, f"{head}\r\n\r\n".encode() + data


class Killed(BaseException):
    """What a process that is killed does not handle: nothing of ours may catch it."""


@contextmanager
def killed_at(call: int, *, answered: bool) -> Iterator[None]:
    """Die at the `call`-th request to GitHub (from 0): before it is sent, or after it was answered
    and before the answer is read.
    """
    count = 0
    real = Transport._send

    def send(transport: Transport, *arguments: Any) -> requests.Response:
        nonlocal count
        number, count = count, count + 1
        if number == call and not answered:
            raise Killed
        answer = real(transport, *arguments)
        if number == call:
            raise Killed
        return answer

    Transport._send = send  # type: ignore[method-assign]
    try:
        yield
    finally:
        Transport._send = real  # type: ignore[method-assign]
