"""Prometheus's HTTP API: requests with credentials, tried again where that may help, told plainly.

What is asked is decided in `plan`; what an answer's numbers mean is the business of `answers`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.prometheus.options import Credentials, PrometheusOptions
from finops_dagster.sources.prometheus.statistics import Statistics

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_FIRST_WAIT_SECONDS = 0.5
_LONGEST_WAIT_SECONDS = 30.0
_BYTES_PER_SAMPLE = 64
"""An answer has about 30 of JSON for a sample; what is far above its bound is none of ours."""
_LEAST_BYTES = 16 * 1024 * 1024
_BLOCK = 1024 * 1024
_TOO_LARGE = (
    "too many samples",
    "too many points",
    "too many time series",
    "too many series",
    "maximum resolution",
    "limit exceeded",
    "exceeds the limit",
    "the query hit the max number",
    "query hit the",
    "maxsamplesperquery",
    "maxuniquetimeseries",
    "maxpointspertimeseries",
    "maxseries",
    "max-samples",
    "query timed out",
    "query processing would load",
)
"""What Prometheus, Thanos, Mimir and VictoriaMetrics say of a query above their limits."""


class TooLarge(Exception):
    """The server will not answer so large a query: a part of it may do."""


class _Transient(Exception):
    """An answer, or its absence, that the next try may not meet again.

    `lasting`: what to tell where it stays.
    """

    def __init__(
        self, what: str, wait_seconds: float | None = None, lasting: Unavailable | None = None
    ) -> None:
        super().__init__(what)
        self.wait_seconds = wait_seconds
        self.lasting = lasting


class Client:
    """One store, asked by several threads."""

    def __init__(
        self,
        name: str,
        url: str,
        options: PrometheusOptions,
        credentials: Credentials,
        statistics: Statistics,
        now: Callable[[], datetime],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.url = url.rstrip("/")
        self._name = name
        self._options = options
        self._credentials = credentials
        self._statistics = statistics
        self._now = now
        self._sleep = sleep
        self._local = threading.local()

    def query_range(self, query: str, start: int, end: int, step: int) -> list[Any]:
        """The series of a matrix, as the API writes them. Raises Unavailable, TooLarge."""
        form = {"query": query, "start": str(start), "end": str(end), "step": str(step)}
        data = self._ask("POST", "/api/v1/query_range", form)
        if not isinstance(data, dict) or data.get("resultType") != "matrix":
            raise self._strange("a matrix as the answer to a range query")
        result = data.get("result")
        if not isinstance(result, list):
            raise self._strange("a list of series in a matrix")
        return result

    def names(self, match: str, start: int, end: int) -> frozenset[str]:
        """Names of the metrics that `match` selects, of which the store has something in a time.

        An index may answer, whose reach is coarser than a day: a name may be of the day beside.
        """
        form = {"match[]": match, "start": str(start), "end": str(end)}
        data = self._ask("GET", "/api/v1/label/__name__/values", form)
        if not isinstance(data, list) or not all(isinstance(one, str) for one in data):
            raise self._strange("a list of names")
        return frozenset(data)

    def _ask(self, method: str, path: str, form: Mapping[str, str]) -> Any:
        retrying = Retrying(
            stop=stop_after_attempt(self._options.attempts),
            wait=_wait,
            retry=retry_if_exception_type(_Transient),
            sleep=self._sleep,
            before_sleep=lambda _: self._statistics.add(retries=1),
            reraise=True,
        )
        try:
            answer = retrying(self._once, method, path, form)
        except _Transient as error:
            raise error.lasting or self._unavailable(
                "store_unavailable",
                f"an answer from {self.url}; tried {self._options.attempts} times, last: {error}",
                "Look whether the store is well; what was fetched is kept, so that the next run "
                "goes on from here. A slow store may need a longer `timeout_seconds`, or a lower "
                "`concurrency` or `max_samples`.",
            ) from None
        self._statistics.add(queries=1)
        return answer

    def _once(self, method: str, path: str, form: Mapping[str, str]) -> Any:
        try:
            response = self._send(method, path, form)
            if response.status_code == 405 and method == "POST":
                response.close()
                response = self._send("GET", path, form)
            with response:
                body = self._body(response)
        except (requests.ConnectionError, requests.Timeout) as error:
            if isinstance(error, requests.exceptions.SSLError):
                raise self._refused(f"TLS failed ({_root(error)})", "ca") from None
            raise _Transient(f"no answer ({type(error).__name__})") from None
        except requests.exceptions.ChunkedEncodingError as error:
            raise _Transient(f"an answer that broke off ({type(error).__name__})") from None
        except (requests.RequestException, OSError) as error:
            raise self._refused(f"it could not be asked ({_root(error)})", "path") from None
        self._note_clock(response)
        return self._judged(response, body)

    def _send(self, method: str, path: str, form: Mapping[str, str]) -> requests.Response:
        place = {"params": form} if method == "GET" else {"data": form}
        return self._session().request(
            method,
            self.url + path,
            timeout=self._options.timeout_seconds,
            allow_redirects=False,
            stream=True,
            **place,  # type: ignore[arg-type]
        )

    def _session(self) -> requests.Session:
        """One for each thread: sessions are not made to be shared."""
        if not hasattr(self._local, "session"):
            session, given = requests.Session(), self._credentials
            session.headers.update({"Accept": "application/json", **given.headers})
            session.auth = self._sign  # also keeps a .netrc from being read
            if given.ca is not None:
                session.verify = str(given.ca)
            if given.client_cert is not None:
                key = str(given.client_key) if given.client_key else None
                session.cert = (str(given.client_cert), key) if key else str(given.client_cert)
            self._local.session = session
        session_: requests.Session = self._local.session
        return session_

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        given = self._credentials
        if given.username is not None:
            basic = requests.auth.HTTPBasicAuth(given.username, given.password or "")
            return basic(request)
        token = given.token
        if given.token_file is not None:
            token = given.token_file.read_text(encoding="utf-8").strip()
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        return request

    def _body(self, response: requests.Response) -> bytes:
        most = max(_LEAST_BYTES, self._options.max_samples * _BYTES_PER_SAMPLE)
        body = bytearray()
        for block in response.iter_content(_BLOCK):
            body += block
            if len(body) > most:
                raise TooLarge(f"an answer of more than {most} bytes")
        self._statistics.add(bytes=len(body))
        return bytes(body)

    def _note_clock(self, response: requests.Response) -> None:
        try:
            theirs = parsedate_to_datetime(response.headers["Date"])
        except (KeyError, ValueError):
            return
        if theirs.tzinfo is None:
            theirs = theirs.replace(tzinfo=UTC)
        self._statistics.skew_seconds = (theirs - self._now()).total_seconds()

    def _judged(self, response: requests.Response, body: bytes) -> Any:
        """The data of an answer. Raises Unavailable, TooLarge, and _Transient to be tried again."""
        status = response.status_code
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError:
            answer = None
        said = str(answer.get("error", "")) if isinstance(answer, dict) else ""
        if said and any(words in said.lower() for words in _TOO_LARGE):
            raise TooLarge(said[:300])
        if status in _TRANSIENT:
            raise _Transient(
                f"status {status}{f': {said[:200]}' if said else ''}", _asked(response)
            )
        if 300 <= status < 400:
            where = urlsplit(response.headers.get("Location", "")).hostname or "another place"
            raise self._refused(f"it sends us on to {where}: a login page?", "login")
        if status in (401, 403):
            raise self._refused(f"it did not let us in (status {status})", "login")
        if status == 404 and not isinstance(answer, dict):
            raise self._refused("there is no such API (status 404)", "path")
        if answer is None:
            page = b"<html" in body[:2000].lower() or "html" in response.headers.get(
                "Content-Type", ""
            )
            told = f"it answered {'a page of HTML' if page else 'no JSON'} (status {status})"
            # an answer may be cut off on its way, and a gateway show its page for a moment
            raise _Transient(told, lasting=self._refused(told, "login" if page else "path"))
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise self._unavailable(
                "query_refused",
                f"an answer from {self.url}; it refused the query (status {status}): "
                f"{said[:300] or 'no reason given'}",
                "Look whether `matchers` are as PromQL wants them, and whether the store speaks "
                "Prometheus's HTTP API.",
            )
        return answer.get("data")

    def _refused(self, what: str, why: str) -> Unavailable:
        variable = f"FINOPS_CREDENTIALS__{self._name.replace('-', '_').upper()}__..."
        hints = {
            "login": f"Set credentials in {variable} (docs/telemetry.md), or name the address "
            "behind the login in `path`.",
            "ca": f"Name the authority's certificate in {variable.replace('...', 'CA')}, and for "
            "mutual TLS CLIENT_CERT and CLIENT_KEY beside it.",
            "path": "Correct `path`: the base URL of the API, to which /api/v1 is added.",
        }
        code = {"login": "store_login", "ca": "store_tls", "path": "store_address"}[why]
        return self._unavailable(code, f"Prometheus's HTTP API at {self.url}; {what}", hints[why])

    def _strange(self, wanted: str) -> Unavailable:
        return self._unavailable(
            "answer_strange",
            f"{wanted} from {self.url}; it answered something else",
            "Look whether `path` is a store that speaks Prometheus's HTTP API.",
        )

    def _unavailable(self, code: str, expected: str, hint: str) -> Unavailable:
        return Unavailable(
            f"{self._name} could not be read: expected {expected}.",
            (Fault(code=code, file=self.url, expected=f"Expected {expected}.", hint=hint),),
        )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.wait_seconds if isinstance(error, _Transient) else None
    if asked is None:
        asked = _FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1)
    return min(max(asked, 0.0), _LONGEST_WAIT_SECONDS)


def _asked(response: requests.Response) -> float | None:
    """Seconds by Retry-After; None where it gives none or a date."""
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None


def _root(error: BaseException) -> str:
    return str(error).replace("\n", " ")[:200]
