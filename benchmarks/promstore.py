"""A store that answers as Prometheus does, about as many containers as asked for, out of nothing.

Answers are computed when they are asked for, so that it holds no samples; only the forms of PromQL
that the product sends are known, and all else is refused. Run as a program it serves HTTP.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import json
import math
import re
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCRAPE = 60
STEP = 300
DAY = 86_400
PER_DAY = DAY // STEP
REPLICAS = 4
PODS_LIVE_DAYS = 7
NAMESPACES = 40
PATTERNS = 97
"""Different courses of a day; which one a series takes changes with the day."""
METRICS = (
    ("container_cpu_usage_seconds_total", "", 0.02),
    ("container_memory_working_set_bytes", "", 2.5e8),
    ("kube_pod_container_resource_requests", "cpu", 0.05),
    ("kube_pod_container_resource_requests", "memory", 4e8),
)
"""Series, its label `resource` where it has one, and the lowest value of its lowest course."""
OWNERS = ("kube_pod_owner", "kube_replicaset_owner")
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_TOO_MANY = "query processing would load too many samples into memory in query execution"
"""What Prometheus says above --query.max-samples (promql/engine.go, ErrTooManySamples)."""
_SELECTOR = re.compile(r"(\w+)\{([^{}]*)\}\[(\d+)(ms|s)\]")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_KEPT = re.compile(r"max by \(([^()]*)\) \(")


@dataclass(frozen=True)
class Store:
    """`containers`, one in each pod, from `first` on for `days` (Unix seconds, whole days)."""

    containers: int
    first: int
    days: int
    max_samples: int

    def pods(self, day: int) -> tuple[dict[str, str], ...]:
        """Labels of every container of a day; a week's pods have other names than the next's."""
        return _pods(self.containers, (day - self.first) // DAY // PODS_LIVE_DAYS)

    def text(self, metric: int, series: int, day: int) -> list[str]:
        """The points of a series on a day, each as JSON of a matrix."""
        return _points(metric, _course(series, metric, day), day)

    def total(self, metric: int, day: int) -> float:
        """The sum of all points of all series of one metric on a day."""
        sums = [sum(_values(metric, course)) for course in range(PATTERNS)]
        return math.fsum(sums[_course(number, metric, day)] for number in range(self.containers))

    def answer(self, query: str, start: int, end: int, step: int) -> tuple[int, Iterator[str]]:
        """(status, parts of the body) of a range query."""
        found = _SELECTOR.search(query)
        if found is None:
            return _error(400, "bad_data", f"not a query this store knows: {query}")
        name, inner, length, unit = found.groups()
        matchers = tuple(_MATCHER.findall(inner))
        reach = int(length) // (1000 if unit == "ms" else 1)
        last = self.first + self.days * DAY
        start, end = max(start, self.first + step), min(end, last)
        points = range(start, end + 1, step)
        if not points:
            return 200, _matrix(iter(()))
        # The end of an interval belongs to the day that it ends.
        day = (start - 1) // DAY * DAY
        if (end - 1) // DAY * DAY != day:
            return _error(400, "bad_data", "this store answers about one day at a time")
        selected = self._selected(name, matchers, day)
        raw = (end - start + max(reach, step)) // SCRAPE
        if len(selected) * (raw + len(points)) > self.max_samples:
            return _error(422, "execution", _TOO_MANY)
        if query.startswith("count("):
            return 200, _matrix(_constant({}, len(selected), points) if selected else iter(()))
        if query.startswith("count_values("):
            each = {"n": str(reach // SCRAPE)}
            return 200, _matrix(_constant(each, len(selected), points) if selected else iter(()))
        kept = _KEPT.match(query)
        if kept is None:
            return _error(400, "bad_data", f"not a query this store knows: {query}")
        labels = kept.group(1).split(", ")
        if name in OWNERS:
            owners = (
                part for one in selected for part in _constant(_only(one[1], labels), 1, points)
            )
            return 200, _matrix(owners)
        metric = next(
            number
            for number, (series, resource, _) in enumerate(METRICS)
            if series == name and (not resource or ("resource", "=", resource) in matchers)
        )
        shown = slice((start - day) // STEP - 1, (end - day) // STEP)
        return 200, _matrix(
            _series(_only(given, labels), self.text(metric, number, day)[shown])
            for number, given in selected
        )

    def _selected(
        self, name: str, matchers: tuple[tuple[str, str, str], ...], day: int
    ) -> list[tuple[int, dict[str, str]]]:
        """(number, labels) of the series that all matchers let pass."""
        pods = self.pods(day)
        if name == "kube_replicaset_owner":
            series = [_replica_set(pods[n]) for n in range(0, len(pods), REPLICAS)]
        elif name == "kube_pod_owner" or any(name == metric for metric, _, _ in METRICS):
            series = list(pods)
        else:
            return []
        tests = [
            (label, sign[0] == "=", re.compile(text if sign[-1] == "~" else re.escape(text)))
            for label, sign, text in matchers
            if label != "resource"
        ]
        return [
            (number, labels)
            for number, labels in enumerate(series)
            if all(
                (pattern.fullmatch(labels.get(label, "")) is not None) is wanted
                for label, wanted, pattern in tests
            )
        ]

    def names(self, match: str) -> list[str]:
        """Metrics whose name the one matcher of `match` on it lets pass."""
        pattern = re.compile(match.split('__name__=~"')[1].split('"')[0])
        every = sorted({metric for metric, _, _ in METRICS} | set(OWNERS))
        return [name for name in every if pattern.fullmatch(name)]


def _course(series: int, metric: int, day: int) -> int:
    return (7 * series + 29 * metric + day // DAY) % PATTERNS


@functools.cache
def _values(metric: int, course: int) -> tuple[float, ...]:
    low = METRICS[metric][2]
    return tuple(
        float(f"{low * (1 + course / PATTERNS) * (1.5 + math.sin(math.tau * n / PER_DAY)):.9g}")
        for n in range(PER_DAY)
    )


@functools.lru_cache(maxsize=PATTERNS * 8)
def _points(metric: int, course: int, day: int) -> list[str]:
    return [
        f'[{day + (number + 1) * STEP},"{value!r}"]'
        for number, value in enumerate(_values(metric, course))
    ]


@functools.lru_cache(maxsize=3)
def _pods(containers: int, week: int) -> tuple[dict[str, str], ...]:
    found = []
    for number in range(containers):
        workload = number // REPLICAS
        replica_set = f"app-{workload:05}-{_random(f'{workload}/{week}')}"
        found.append(
            {
                "namespace": f"team-{workload % NAMESPACES:02}",
                "pod": f"{replica_set}-{_random(f'{number}/{week}')[:5]}",
                "container": "app",
                "owner_kind": "ReplicaSet",
                "owner_name": replica_set,
                "owner_is_controller": "true",
            }
        )
    return tuple(found)


def _replica_set(pod: dict[str, str]) -> dict[str, str]:
    return {
        "namespace": pod["namespace"],
        "replicaset": pod["owner_name"],
        "owner_kind": "Deployment",
        "owner_name": pod["owner_name"].rsplit("-", 1)[0],
        "owner_is_controller": "true",
    }


def _random(key: str) -> str:
    return "".join(_LETTERS[b % len(_LETTERS)] for b in hashlib.sha256(key.encode()).digest()[:10])


def _only(given: dict[str, str], labels: list[str]) -> dict[str, str]:
    return {label: given[label] for label in labels if given.get(label)}


def _series(labels: dict[str, str], points: list[str]) -> str:
    return f'{{"metric":{json.dumps(labels)},"values":[{",".join(points)}]}}'


def _constant(labels: dict[str, str], value: int, points: range) -> Iterator[str]:
    yield _series(labels, [f'[{at},"{value}"]' for at in points])


def _matrix(series: Iterator[str]) -> Iterator[str]:
    yield '{"status":"success","data":{"resultType":"matrix","result":['
    for number, one in enumerate(series):
        yield f",{one}" if number else one
    yield "]}}"


def _error(status: int, kind: str, message: str) -> tuple[int, Iterator[str]]:
    return status, iter([json.dumps({"status": "error", "errorType": kind, "error": message})])


def serve(store: Store, port: int) -> ThreadingHTTPServer:
    """A server of `store` on loopback, not yet running.

    `/asked` tells the range queries that were answered, so that others can ask the same.
    """
    asked: list[dict[str, str]] = []
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, query = self.path.partition("?")
            given = dict(urllib.parse.parse_qsl(query))
            if path == "/api/v1/label/__name__/values":
                names = store.names(given["match[]"])
                self._send(200, json.dumps({"status": "success", "data": names}))
            elif path == "/asked":
                with lock:
                    self._send(200, json.dumps(asked))
            else:
                self._send(404, "not found")

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            given = dict(urllib.parse.parse_qsl(body))
            status, parts = store.answer(
                given["query"], *(int(float(given[key])) for key in ("start", "end", "step"))
            )
            if status == 200:
                with lock:
                    asked.append(given)
            self._send(status, "".join(parts))

        def _send(self, status: int, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    return server


def main() -> None:
    """Serve until ended; the address goes to stdout as the first line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--containers", type=int, required=True)
    parser.add_argument("--first", type=int, required=True, help="Unix seconds of the first day.")
    parser.add_argument("--days", type=int, required=True)
    parser.add_argument("--max-samples", type=int, default=50_000_000, help="As Prometheus's flag.")
    given = parser.parse_args()
    server = serve(Store(given.containers, given.first, given.days, given.max_samples), given.port)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
