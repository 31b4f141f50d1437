"""Electricity Maps and WattTime on loopback: they answer by script, and remember what was asked."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN, USER, PASSWORD = "tok-em-123", "someone", "pass-wt-456"
HTML = b"<html><title>Sign in</title></html>"


@dataclass(frozen=True)
class Answer:
    """What is sent back. `cut` bytes at its end are announced and never sent."""

    status: int = 200
    body: bytes = b"{}"
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0


@dataclass
class Asked:
    """A question as the server saw it."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


Script = Callable[[Asked, int], Answer]
"""From a question and how many came before it."""


@dataclass
class Server:
    """Where it answers, and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    """A server that answers by `script` until the block ends."""
    server = Server("")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            asked = Asked(parts.path, query, dict(self.headers))
            server.asked.append(asked)
            answer = script(asked, len(server.asked) - 1)
            self.send_response(answer.status)
            self.send_header("Content-Length", str(len(answer.body)))
            for name, told in answer.headers.items():
                self.send_header(name, told)
            self.end_headers()
            self.wfile.write(answer.body[: len(answer.body) - answer.cut])

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_address[1]}"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


def electricity_maps(asked: Asked, _: int = 0, *, base: float = 300.0) -> Answer:
    """Every hour of the day asked, and the first of the next, as the API might."""
    if asked.headers.get("auth-token") != TOKEN:
        return Answer(401, b'{"error":"Invalid auth-token"}')
    zone = asked.query["zone"]
    if zone == "NOWHERE":
        return Answer(400, b'{"error":"Zone \'NOWHERE\' does not exist."}')
    start = datetime.fromisoformat(asked.query["start"])
    rows = [
        {
            "zone": zone,
            "carbonIntensity": base + hour,
            "datetime": (start + timedelta(hours=hour)).isoformat().replace("+00:00", ".000Z"),
            "updatedAt": "2026-01-07T09:00:00.000Z",
            "createdAt": "2026-01-04T09:00:00.000Z",
            "emissionFactorType": asked.query["emissionFactorType"],
            "isEstimated": hour == 1,
            "estimationMethod": "TIME_SLICER_AVERAGE" if hour == 1 else None,
        }
        for hour in range(25)
    ]
    return Answer(body=json.dumps({"zone": zone, "data": rows}).encode())


def watttime(asked: Asked, _: int = 0) -> Answer:
    """A login, and five-minute values of one hour."""
    if asked.path == "/login":
        expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if asked.headers.get("Authorization") != expected:
            return Answer(401, b'{"error":"Invalid credentials"}')
        return Answer(body=b'{"token":"jwt-789"}')
    if asked.headers.get("Authorization") != "Bearer jwt-789":
        return Answer(401, b'{"error":"Token expired"}')
    day = date.fromisoformat(asked.query["start"][:10])
    rows = [
        {"point_time": f"{day}T00:{minute:02d}:00Z", "value": 1000.0, "imputed_data_used": False}
        for minute in range(0, 60, 5)
    ]
    meta = {
        "region": asked.query["region"],
        "signal_type": asked.query["signal_type"],
        "units": "lbs_co2_per_mwh",
        "data_point_period_seconds": 300,
        "warnings": [],
    }
    return Answer(body=json.dumps({"data": rows, "meta": meta}).encode())
