"""A real Prometheus on loopback with the demo estate in it, and a proxy before it that fails.

What is asked of them is in the tests.
"""

from __future__ import annotations

import http.client
import os
import random
import shutil
import signal
import struct
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow as pa
import pytest

from tests.builders import free_port

TOOLS = Path(__file__).parents[2] / ".venv" / "prometheus" / "usr" / "bin"
"""Where `make test-tools` unpacks Debian's package, so that no service is started by it."""


class NoPrometheusError(RuntimeError):
    """Prometheus cannot be had; the message says why."""


def program(name: str) -> str:
    """Path of `prometheus` or `promtool`. Raises NoPrometheusError."""
    found = shutil.which(name) or shutil.which(name, path=str(TOOLS))
    if found is None:
        raise NoPrometheusError(f"{name} is not installed: run `make test-tools`")
    return found


class Server:
    """One Prometheus over a folder of blocks: it can be killed, and started again as it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.data.mkdir(parents=True, exist_ok=True)
        self._port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.kill()

    def backfill(self, openmetrics: Path) -> None:
        """Turn an OpenMetrics text into blocks, while the server is down.

        promtool reads the whole text once per block: long blocks (a hidden flag) save hours.
        """
        subprocess.run(
            [program("promtool"), "tsdb", "create-blocks-from", "openmetrics", "--quiet",
             "--max-block-duration=162h", str(openmetrics), str(self.data)],
            check=True, capture_output=True, timeout=3600,
        )  # fmt: skip

    def start(self, *flags: str, config: str = "global: {}\n") -> None:
        """Start, and wait until it answers. Raises NoPrometheusError."""
        (self.folder / "prometheus.yml").write_text(config)
        with (self.folder / "prometheus.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("prometheus"), f"--config.file={self.folder / 'prometheus.yml'}",
                 f"--storage.tsdb.path={self.data}", "--storage.tsdb.retention.time=100y",
                 f"--web.listen-address=127.0.0.1:{self._port}", *flags],
                stdout=log, stderr=log, cwd=self.folder,
            )  # fmt: skip
        for _ in range(600):
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2):
                    return
            except OSError:
                time.sleep(0.05)
        raise NoPrometheusError((self.folder / "prometheus.log").read_text()[-2000:])

    def kill(self) -> None:
        """End it at once, as a machine that fails does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=30)
            self._process = None


def skip_without_prometheus() -> None:
    """Skips with a reason where Prometheus is not installed, but not in CI."""
    try:
        program("prometheus"), program("promtool")
    except NoPrometheusError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))


Labels = dict[str, str]
STALE = struct.pack("<Q", 0x7FF0000000000002)
"""The number that says that a series ended (prometheus/prometheus, model/value/value.go)."""


def remote_write(url: str, moment: int, values: Sequence[tuple[Labels, float | None]]) -> None:
    """Append one sample of each series at `moment` (Unix seconds); None is a stale marker.

    promtool writes no such markers. The server needs --web.enable-remote-write-receiver; what is
    sent is a WriteRequest (prometheus/prometheus, prompb/remote.proto) as a snappy block.
    """
    series = b""
    for labels, value in values:
        named = b"".join(
            _field(1, _field(1, name.encode()) + _field(2, labels[name].encode()))
            for name in sorted(labels)
        )
        number = STALE if value is None else struct.pack("<d", value)
        sample = b"\x09" + number + b"\x10" + _varint(moment * 1000)
        series += _field(1, named + _field(2, sample))
    body = pa.compress(series, codec="snappy", asbytes=True)
    request = urllib.request.Request(f"{url}/api/v1/write", data=body, method="POST")
    request.add_header("Content-Encoding", "snappy")
    request.add_header("Content-Type", "application/x-protobuf")
    with urllib.request.urlopen(request, timeout=10):
        pass


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    found = b""
    while number > 127:
        found += bytes([number & 127 | 128])
        number >>= 7
    return found + bytes([number])


LOGIN_PAGE = b"<!doctype html><html><title>Sign in</title><form action=/login></form></html>"
KINDS = ("error", "cut", "login", "busy")
"""500; a connection that breaks inside the body; a login page that says 200; 429 with a time."""


class _Quiet(ThreadingHTTPServer):
    """Clients that are killed leave broken connections, which are nobody's fault."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        del request, client_address


class FaultyProxy:
    """Hands requests on to `target`, and spoils one answer of every `one_in`.

    Which of each `one_in` it is is drawn by `seed`; the kinds take turns. `before` is told the
    number of each request before it is handed on.
    """

    def __init__(
        self,
        target: str,
        seed: int,
        one_in: int = 5,
        *,
        kinds: tuple[str, ...] = KINDS,
        before: Callable[[int], None] | None = None,
    ) -> None:
        self._target = target
        self._draw = random.Random(seed)
        self._one_in = one_in
        self._kinds = kinds
        self._before = before
        self._lock = threading.Lock()
        self._spoiled = 0
        self.requests = 0
        self.faults: dict[str, int] = dict.fromkeys(kinds, 0)
        self._server = _Quiet(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> FaultyProxy:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next(self) -> str | None:
        """Which fault the next request meets, if any."""
        with self._lock:
            place = self.requests % self._one_in
            self.requests += 1
            if self._before is not None:
                self._before(self.requests)
            if place == 0:
                self._spoiled = self._draw.randrange(self._one_in)
            if place != self._spoiled:
                return None
            kind = self._kinds[sum(self.faults.values()) % len(self._kinds)]
            self.faults[kind] += 1
            return kind

    def _fetch(self, request: BaseHTTPRequestHandler) -> tuple[int, bytes]:
        length = int(request.headers.get("Content-Length") or 0)
        body = request.rfile.read(length) if length else None
        forwarded = urllib.request.Request(
            self._target + request.path, data=body, method=request.command
        )
        if kind := request.headers.get("Content-Type"):
            forwarded.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(forwarded, timeout=120) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()
        except (OSError, http.client.HTTPException):
            return 502, b"the store is down"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fault = proxy._next()
                status, body = proxy._fetch(self)
                kind, retry_after, declared = "application/json", None, None
                if fault == "error":
                    status, body = 500, b"internal error"
                elif fault == "busy":
                    status, body, retry_after = 429, b"slow down", "0"
                elif fault == "login":
                    status, body, kind = 200, LOGIN_PAGE, "text/html"
                elif fault == "cut":
                    declared, body = len(body), body[: len(body) // 2]
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(declared or len(body)))
                if retry_after is not None:
                    self.send_header("Retry-After", retry_after)
                self.end_headers()
                self.wfile.write(body)
                if fault == "cut":
                    self.close_connection = True

            def do_POST(self) -> None:
                self.do_GET()

            def log_message(self, format: str, *args: object) -> None:
                del format, args

        return Handler
