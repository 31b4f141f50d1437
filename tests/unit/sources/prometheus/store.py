"""A small store in this process that answers the product's queries from a few raw samples.

It works each form of query out plainly; anything that it does not know is refused.
"""

from __future__ import annotations

import json
import math
import re
import threading
import urllib.parse
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Labels = dict[str, str]
_SELECTOR = re.compile(r"(\w*)\{([^{}]*)\}\[(\d+)(ms|s)\]")
_MATCHER = re.compile(r'(\w+)(=~|!~|!=|=)"((?:[^"\\]|\\.)*)"')
_OVER = re.compile(r"(avg|max|count|last|quantile)_over_time\((?:(0\.\d+), )?(.*)")
TOO_MANY = "query processing would load too many samples into memory in query execution"


@dataclass
class Reply:
    """What is sent: the store's own answer, changed by `Store.spoil`."""

    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Store:
    """Series as (labels with __name__, {unix second: value})."""

    series: list[tuple[Labels, dict[int, float]]] = field(default_factory=list)
    max_samples: int = 10**9
    spoil: Callable[[int, str, Reply], Reply | None] = lambda number, query, reply: reply
    """(number of the request, query, answer) -> what is sent; None breaks the connection."""
    requests: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _times: dict[int, list[int]] = field(default_factory=dict)

    def add(self, name: str, samples: dict[int, float], **labels: str) -> None:
        self.series.append(({"__name__": name, **labels}, samples))

    def times(self, samples: dict[int, float]) -> list[int]:
        """Sorted, worked out once for a series."""
        if id(samples) not in self._times:
            self._times[id(samples)] = sorted(samples)
        return self._times[id(samples)]

    def names(self, form: Labels) -> Any:
        match = form["match[]"]
        start, end = int(form["start"]), int(form["end"])
        return sorted(
            {
                labels["__name__"]
                for labels, samples in self.series
                if matches(labels, match.strip("{}")) and any(start <= t <= end for t in samples)
            }
        )

    def query_range(self, form: Labels) -> Any:
        query = form["query"]
        start, end, step = int(form["start"]), int(form["end"]), int(form["step"])
        read = 0
        answer: dict[str, tuple[Labels, list[list[Any]]]] = {}
        for moment in range(start, end + 1, step):
            found, loaded = self.evaluate(query, moment)
            read += loaded
            for labels, value in found:
                key = json.dumps(labels, sort_keys=True)
                answer.setdefault(key, (labels, []))[1].append([moment, repr(value)])
        if read > self.max_samples:
            raise OverflowError(TOO_MANY)
        result = [{"metric": labels, "values": points} for labels, points in answer.values()]
        return {"resultType": "matrix", "result": result}

    def evaluate(self, query: str, moment: int) -> tuple[list[tuple[Labels, float]], int]:
        """A vector at one time, and the samples read for it."""
        if counted := re.fullmatch(r'count_values\("n", (.*)\)', query):
            inner, read = self.evaluate(counted[1], moment)
            values = [value for _, value in inner]
            return [({"n": f"{v:g}"}, float(values.count(v))) for v in sorted(set(values))], read
        if counted := re.fullmatch(r"count\((.*)\)", query):
            inner, read = self.evaluate(counted[1], moment)
            return ([({}, float(len(inner)))] if inner else []), read
        if kept := re.fullmatch(r"(max|sum) by \(([^()]*)\) \((.*)\)", query):
            inner, read = self.evaluate(kept[3], moment)
            names = kept[2].split(", ")
            groups: dict[str, tuple[Labels, list[float]]] = {}
            for labels, value in inner:
                own = {name: labels[name] for name in names if labels.get(name)}
                groups.setdefault(json.dumps(own), (own, []))[1].append(value)
            fold = max if kept[1] == "max" else sum
            return [(labels, float(fold(values))) for labels, values in groups.values()], read
        return self.over(query, moment)

    def over(self, query: str, moment: int) -> tuple[list[tuple[Labels, float]], int]:
        selector = _SELECTOR.search(query)
        function = _OVER.match(query)
        if selector is None:
            raise ValueError(f"unknown query {query}")
        window = int(selector[3]) / (1000 if selector[4] == "ms" else 1)
        name = (function[1] + (function[2] or "")) if function else "last"
        sub = re.search(r"\)\[(\d+)ms:(\d+)s\]", query)
        found, read = [], 0
        for labels, samples in self.series:
            if labels["__name__"] != selector[1] or not matches(labels, selector[2]):
                continue
            if "irate(" in query:
                points = [moment]
                if sub:
                    every = int(sub[2])
                    points = list(
                        range(moment - int(sub[1]) // 1000 - 1 + every, moment + 1, every)
                    )
                slopes = [slope(samples, self.times(samples), at, window) for at in points]
                values = [one for one in slopes if one is not None]
                read += len(points)
            else:
                at = moment - 0.001
                times = self.times(samples)
                inside = times[bisect_left(times, at - window) : bisect_right(times, at)]
                values = [samples[t] for t in inside]
                read += len(values)
            if values:
                own = {key: value for key, value in labels.items() if key != "__name__"}
                found.append((own, summarised(name, values)))
        return found, read


def slope(samples: dict[int, float], times: list[int], at: float, window: float) -> float | None:
    inside = times[bisect_left(times, at - window) : bisect_right(times, at)][-2:]
    if len(inside) < 2:
        return None
    first, last = (samples[t] for t in inside)
    return (last if last < first else last - first) / (inside[1] - inside[0])


def summarised(name: str, values: list[float]) -> float:
    if name == "avg":
        return sum(values) / len(values)
    if name == "max":
        return max(values)
    if name == "count":
        return float(len(values))
    if name == "last":
        return values[-1]
    ordered, share = sorted(values), float(name.removeprefix("quantile"))
    rank = share * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] * (1 - rank + low) + ordered[high] * (rank - low)


def matches(labels: Labels, text: str) -> bool:
    for name, operator, wanted in _MATCHER.findall(text):
        value = labels.get(name, "")
        same = re.fullmatch(wanted, value) is not None if "~" in operator else value == wanted
        if same == operator.startswith("!"):
            return False
    return True


@contextmanager
def serving(store: Store) -> Iterator[str]:
    """The URL of `store` over HTTP on loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            path, _, text = self.path.partition("?")
            length = int(self.headers.get("Content-Length") or 0)
            text = self.rfile.read(length).decode() if length else text
            form = dict(urllib.parse.parse_qsl(text))
            with store._lock:
                number = len(store.requests)
                store.requests.append(form.get("query", path))
                store.headers.append(dict(self.headers))
                reply = store.spoil(number, form.get("query", path), answered(store, path, form))
            if reply is None:
                self.close_connection = True
                return
            self.send_response_only(reply.status)
            for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, format: str, *args: object) -> None:
            del format, args

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answered(store: Store, path: str, form: Labels) -> Reply:
    try:
        if path.endswith("/api/v1/query_range"):
            data = store.query_range(form)
        elif path.endswith("/values"):
            data = store.names(form)
        else:
            return Reply(404, b"404 page not found", {"Content-Type": "text/plain"})
    except OverflowError as error:
        failed = {"status": "error", "errorType": "execution", "error": str(error)}
        return Reply(422, json.dumps(failed).encode())
    return Reply(200, json.dumps({"status": "success", "data": data}).encode())
