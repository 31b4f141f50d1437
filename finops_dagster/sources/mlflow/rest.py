"""MLflow's tracking server over its REST API 2.0: bounded pages, tried again, told plainly.

API: mlflow.org/docs/latest/rest-api.html; the same paths since MLflow 1.0.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import requests
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception_type,
    stop_after_attempt,
)

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.sources.mlflow.options import Credentials, MlflowOptions
from finops_dagster.sources.mlflow.records import Window, run_record, version_record

_API = "/api/2.0/mlflow"
_TRANSIENT = (408, 425, 429, 500, 502, 503, 504)
_EXPERIMENTS_AT_ONCE = 100
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.5, 60.0
_MOST_BYTES = 256 * 1024 * 1024
"""Of one answer, which is held in memory whole."""
_BLOCK = 1024 * 1024


class _Transient(Exception):
    """Worth another try. `lasting`: what to raise where it stays so."""

    def __init__(self, lasting: Unavailable, wait_seconds: float | None = None) -> None:
        super().__init__(lasting.message)
        self.lasting = lasting
        self.wait_seconds = wait_seconds


class RestTracker:
    """A `Tracker` over HTTP."""

    def __init__(
        self,
        name: str,
        url: str,
        options: MlflowOptions,
        credentials: Credentials,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._options = options
        self._sleep = sleep
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        self._credentials = credentials
        self._session.auth = self._sign  # also keeps a .netrc from being read

    def runs(self, window: Window) -> Iterator[dict[str, Any]]:
        """See `Tracker`. Deleted experiments and runs are in it: they cost money too."""
        first, end = window.seconds
        names = {
            str(one.get("experiment_id")): one.get("name")
            for one in self._pages(
                "POST", "experiments/search", "experiments", {"view_type": "ALL"}
            )
        }
        ids = sorted(names)
        # Pages go by position. Sorted by start, what comes meanwhile comes at the end or before
        # what is ahead, and nothing leaves the answer: a run may come twice, none is missed.
        for condition in (
            f"attributes.end_time >= {window.ended_from}",
            f"attributes.start_time >= {window.started_from}",
            f"attributes.start_time >= {first} and attributes.start_time < {end}",
        ):
            for place in range(0, len(ids), _EXPERIMENTS_AT_ONCE):
                body = {
                    "experiment_ids": ids[place : place + _EXPERIMENTS_AT_ONCE],
                    "filter": condition,
                    "run_view_type": "ALL",
                    "order_by": ["attributes.start_time ASC"],
                }
                for run in self._pages("POST", "runs/search", "runs", body):
                    yield self._run(run, names)

    def versions(self) -> Iterator[dict[str, Any]]:
        """See `Tracker`. Aliases are asked of the models: a search for versions leaves them out."""
        aliases: dict[tuple[str, str], list[str]] = {}
        for model in self._pages("GET", "registered-models/search", "registered_models", {}):
            for one in self._list(model, "aliases"):
                place = (str(model.get("name")), str(one.get("version")))
                aliases.setdefault(place, []).append(str(one.get("alias")))
        for version in self._pages("GET", "model-versions/search", "model_versions", {}):
            place = (str(version.get("name")), str(version.get("version")))
            yield version_record(version, aliases.get(place, ()))

    def _run(self, run: dict[str, Any], names: Mapping[str, Any]) -> dict[str, Any]:
        info, data = run.get("info"), run.get("data") or {}
        if not isinstance(info, dict) or not isinstance(data, dict):
            raise self._strange("runs with `info` and `data`")
        if not (info.get("run_id") or info.get("run_uuid")):
            raise self._strange("runs with a `run_id`")
        return run_record(
            {**info, "run_id": info.get("run_id") or info["run_uuid"]},
            names.get(str(info.get("experiment_id"))),
            (
                (str(one.get("key")), one.get("value"), one.get("timestamp"))
                for one in self._list(data, "metrics")
            ),
            ((str(one.get("key")), one.get("value")) for one in self._list(data, "params")),
            ((str(one.get("key")), one.get("value")) for one in self._list(data, "tags")),
        )

    def _pages(
        self, method: str, path: str, key: str, body: Mapping[str, Any]
    ) -> Iterator[dict[str, Any]]:
        """Every item of a search. Raises Unavailable where the pages do not end."""
        token, seen = "", set[str]()
        for _ in range(self._options.most_pages):
            asked = {**body, "max_results": self._options.page_size}
            answer = self._ask(method, path, {**asked, "page_token": token} if token else asked)
            yield from self._list(answer, key)
            token = str(answer.get("next_page_token") or "")
            if not token:
                return
            if token in seen:
                raise self._strange(f"pages of {path} that end; it gave the same page again")
            seen.add(token)
        raise self._strange(f"at most {self._options.most_pages} pages of {path}")

    def _list(self, answer: Mapping[str, Any], key: str) -> Sequence[dict[str, Any]]:
        """What an answer has under `key`: MLflow leaves an empty list out."""
        found = answer.get(key)
        if found is None:
            return ()
        if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
            raise self._strange(f"a list of objects under `{key}`")
        return found

    def _ask(self, method: str, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        retrying = Retrying(
            stop=stop_after_attempt(self._options.attempts),
            wait=_wait,
            retry=retry_if_exception_type(_Transient),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._once, method, f"{self._url}{_API}/{path}", body)
        except _Transient as error:
            raise error.lasting from None

    def _once(self, method: str, url: str, body: Mapping[str, Any]) -> dict[str, Any]:
        given: dict[str, Any] = {"params": body} if method == "GET" else {"json": body}
        try:
            with self._session.request(
                method,
                url,
                timeout=self._options.timeout_seconds,
                allow_redirects=False,
                stream=True,
                **given,
            ) as response:
                content = self._body(response)
        except requests.exceptions.SSLError as error:
            raise self._fault("tracker_tls", f"TLS failed ({_brief(error)})", "path") from None
        except requests.RequestException as error:
            told = f"no whole answer ({type(error).__name__})"
            raise _Transient(self._fault("tracker_unavailable", told, "again")) from None
        return self._judged(response, content)

    def _body(self, response: requests.Response) -> bytes:
        body = bytearray()
        for block in response.iter_content(_BLOCK):
            body += block
            if len(body) > _MOST_BYTES:
                told = f"an answer of more than {_MOST_BYTES} bytes"
                raise self._fault("answer_too_large", told, "page")
        return bytes(body)

    def _judged(self, response: requests.Response, content: bytes) -> dict[str, Any]:
        """The answer. Raises Unavailable, and _Transient to be tried again."""
        status = response.status_code
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        said = str(answer.get("message", ""))[:300] if isinstance(answer, dict) else ""
        told = f"status {status}{f': {said}' if said else ''}"
        if 300 <= status < 400:
            raise self._fault("tracker_login", f"it sends us on (status {status})", "login")
        if status in (401, 403):
            raise self._fault("tracker_login", f"it did not let us in ({told})", "login")
        if status in _TRANSIENT:
            raise _Transient(self._fault("tracker_unavailable", told, "again"), _seconds(response))
        if status == 404 and answer is None:
            raise self._fault("tracker_address", "there is no such API (status 404)", "path")
        if answer is None and b"<html" in content[:2000].lower():
            raise self._fault("tracker_login", f"a page of HTML (status {status})", "login")
        if answer is None:
            raise self._fault("tracker_address", f"no JSON (status {status})", "path")
        if status >= 400:
            raise self._fault("tracker_refused", f"it refused the search ({told})", "version")
        if not isinstance(answer, dict):
            raise self._strange("a JSON object")
        return answer

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        given = self._credentials
        if given.username is not None:
            return requests.auth.HTTPBasicAuth(given.username, given.password or "")(request)
        if given.token is not None:
            request.headers["Authorization"] = f"Bearer {given.token}"
        return request

    def _strange(self, wanted: str) -> Unavailable:
        return self._fault("answer_strange", f"it did not give {wanted}", "path")

    def _fault(self, code: str, found: str, hint: str) -> Unavailable:
        variable = f"FINOPS_CREDENTIALS__{self._name.replace('-', '_').upper()}__"
        hints = {
            "login": f"Set {variable}TOKEN, or {variable}USERNAME and {variable}PASSWORD.",
            "path": "Correct `path`: the server's base URL, to which /api/2.0/mlflow is added.",
            "again": f"It was tried {self._options.attempts} times; run again when it is well.",
            "page": "Set a smaller `page_size`.",
            "version": "Searching runs by their end needs MLflow 1.30 or newer; for an older "
            "server name its SQLite file.",
        }
        expected = f"Expected an answer of MLflow's REST API from {self._url}; found {found}."
        return Unavailable(
            f"{self._name} could not be read. {expected}",
            (Fault(code=code, file=self._url, expected=expected, hint=hints[hint]),),
        )


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome is not None else None
    asked = error.wait_seconds if isinstance(error, _Transient) else None
    if asked is None:
        asked = _FIRST_WAIT_SECONDS * 2 ** (state.attempt_number - 1)
    return min(max(asked, 0.0), _LONGEST_WAIT_SECONDS)


def _seconds(response: requests.Response) -> float | None:
    """By Retry-After; None where it gives none, or a date."""
    try:
        return float(response.headers["Retry-After"])
    except (KeyError, ValueError):
        return None


def _brief(error: BaseException) -> str:
    return str(error).replace("\n", " ")[:200]
