"""Calls to GitHub: tried again where that may help, and failures told without a secret.

What is called, and what it means, is forge.py's business.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

import requests
from github.GithubException import GithubException
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.gitops.escaping import one_line

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_SECONDARY_WAIT_SECONDS = 60.0
"""Where a limit is told without a time (docs: rate limits for the REST API), then twice that."""
_HINTS = {
    301: "The repository moved: set desired_state.repository to its new name.",
    307: "The repository moved: set desired_state.repository to its new name.",
    401: "The token or the App's key is not valid: set FINOPS_GITHUB_TOKEN or "
    "FINOPS_GITHUB_APP_KEY again.",
    403: "The token may not do this: `finops doctor --forge` lists what it lacks.",
    404: "Check desired_state.repository, the branch, and that the token sees the repository.",
    409: "The repository is empty or was changed at the same time; run again.",
    422: "GitHub did not accept it: the branch may be protected.",
}

_TOKEN = re.compile(r"\b(gh[a-z]_|github_pat_)\w{16,}")
"""Any token of GitHub's: an App's change by the hour."""

_OF_AN_ERROR = ("resource", "field", "code")
"""What a validation error has where it has no message (docs: troubleshooting the REST API)."""

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long a call may take and how often it is tried."""

    timeout_seconds: float = 20
    attempts: int = 4
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 300.0
    """Where GitHub asks to wait longer, the call is given up at once: asking on is punished."""


class Caller:
    """Makes calls about `what`, patiently; `secrets` are masked in what is told."""

    def __init__(
        self,
        what: str,
        secrets: Sequence[str],
        patience: Patience,
        sleep: Callable[[float], None],
    ) -> None:
        self._what = what
        self._secrets = [secret for secret in secrets if secret]
        self._patience = patience
        self._sleep = sleep

    def attempt(self, call: Callable[[], T], passing: tuple[int, ...] = ()) -> T:
        """`call`, again where that may help; statuses in `passing` are raised as they are."""
        retrying = Retrying(
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._wait,
            retry=retry_if_exception(self._is_worth_waiting),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(call)
        except GithubException as error:
            if error.status in passing and not is_rate_limit(error):
                raise
            raise self._unavailable(error) from None
        except requests.RequestException as error:
            raise self._failed("no_answer", f"no answer ({type(error).__name__})") from None

    def _is_worth_waiting(self, error: BaseException) -> bool:
        if isinstance(error, requests.RequestException):
            return True
        if not isinstance(error, GithubException):
            return False
        if is_rate_limit(error):
            asked = _asked(error, time.time())
            return asked is None or asked <= self._patience.longest_wait_seconds
        return error.status in _TRANSIENT

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        doubling: float = 2 ** (state.attempt_number - 1)
        asked: float | None = None
        if isinstance(error, GithubException):
            asked = _asked(error, time.time())
            if asked is None and is_rate_limit(error):
                asked = _SECONDARY_WAIT_SECONDS * doubling
        if asked is None:
            asked = self._patience.first_wait_seconds * doubling
        return min(asked, self._patience.longest_wait_seconds)

    def _unavailable(self, error: GithubException) -> Unavailable:
        what = f"status {error.status}: {told(error)}"
        if not is_rate_limit(error):
            return self._failed("github", what, _HINTS.get(error.status, "Try again later."))
        now = time.time()
        asked = _asked(error, now)
        when = "in some minutes"
        if asked is not None:
            when = f"after {datetime.fromtimestamp(now + asked, UTC):%Y-%m-%d %H:%M:%S} UTC"
        return self._failed("rate_limited", what, f"The rate limit is reached: run again {when}.")

    def _failed(self, code: str, what: str, hint: str = "Try again later.") -> Unavailable:
        for secret in self._secrets:
            what = what.replace(secret, "***")
        what = _TOKEN.sub("***", what)
        return Unavailable(f"GitHub, {self._what}: {what}", (
            Fault(
                code=code,
                expected=f"GitHub was expected to answer for {self._what}; {what}.",
                hint=hint,
            ),
        ))  # fmt: skip


def told(error: GithubException) -> str:
    """What GitHub said of a failure, on one line."""
    data: object = error.data
    if not isinstance(data, dict):
        return "no message"
    message = data.get("message")
    details = [
        detail.get("message") or " ".join(str(detail.get(key, "")) for key in _OF_AN_ERROR)
        for detail in data.get("errors") or ()
        if isinstance(detail, dict)
    ]
    parts = [str(part) for part in (message, *details) if part]
    return one_line("; ".join(parts) or "no message", 300)


def is_rate_limit(error: GithubException) -> bool:
    """Whether a call was one too many, by the primary or a secondary limit.

    Docs: rate limits for the REST API; GraphQL says so in an answer of status 200.
    """
    if error.status == 429:
        return True
    data: object = error.data
    if error.status == 400 and isinstance(data, dict):
        return any(
            isinstance(one, dict) and one.get("type") == "RATE_LIMITED"
            for one in data.get("errors") or ()
        )
    return error.status == 403 and (
        _asked(error, 0.0) is not None or "rate limit" in told(error).lower()
    )


def _asked(error: GithubException, now: float) -> float | None:
    """Seconds GitHub asks to wait; None if it does not."""
    headers = {key.lower(): value for key, value in (error.headers or {}).items()}
    if headers.get("retry-after", "").isdigit():
        return float(headers["retry-after"])
    if (
        headers.get("x-ratelimit-remaining") == "0"
        and headers.get("x-ratelimit-reset", "").isdigit()
    ):
        return max(0.0, float(headers["x-ratelimit-reset"]) - now)
    return None
