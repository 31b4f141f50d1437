"""Calls to GitHub: tried again where that may help, and failures told without the token.

What is called, and what it means, is github_forge.py's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import requests
from github.GithubException import GithubException
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt

from finops_dagster.domain.errors import Fault, Unavailable
from finops_dagster.gitops.escaping import one_line

_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_HINTS = {
    401: "The token is not valid: set FINOPS_GITHUB_TOKEN again.",
    403: "The token may not do this: it needs to read and write contents and pull requests.",
    404: "Check desired_state.repository, the branch, and that the token sees the repository.",
    409: "The repository is empty or was changed at the same time; run again.",
    422: "GitHub did not accept it: the branch may be protected.",
}

T = TypeVar("T")


@dataclass(frozen=True)
class Patience:
    """How long a call may take and how often it is tried."""

    timeout_seconds: int = 20
    attempts: int = 4
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0


class Caller:
    """Makes calls about `what` with one token, patiently."""

    def __init__(
        self, what: str, token: str, patience: Patience, sleep: Callable[[float], None]
    ) -> None:
        self._what = what
        self._token = token
        self._patience = patience
        self._sleep = sleep

    def attempt(self, call: Callable[[], T], passing: tuple[int, ...] = ()) -> T:
        """`call`, again where that may help; statuses in `passing` are raised as they are."""
        retrying = Retrying(
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._wait,
            retry=retry_if_exception(_is_transient),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(call)
        except GithubException as error:
            if error.status in passing:
                raise
            raise self._unavailable(f"status {error.status}: {told(error)}", error.status) from None
        except requests.RequestException as error:
            raise self._unavailable(f"no answer ({type(error).__name__})", 0) from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = _retry_after(error, time.time()) if isinstance(error, GithubException) else None
        if asked is None:
            asked = self._patience.first_wait_seconds * 2 ** (state.attempt_number - 1)
        return min(asked, self._patience.longest_wait_seconds)

    def _unavailable(self, what: str, status: int) -> Unavailable:
        what = what.replace(self._token, "***") if self._token else what
        return Unavailable(f"GitHub, {self._what}: {what}", (
            Fault(
                code="github",
                expected=f"GitHub was expected to answer for {self._what}; {what}.",
                hint=_HINTS.get(status, "Try again later."),
            ),
        ))  # fmt: skip


def told(error: GithubException) -> str:
    data: object = error.data
    message = data.get("message") if isinstance(data, dict) else None
    return one_line(str(message or "no message"), 300)


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, requests.RequestException):
        return True
    if not isinstance(error, GithubException):
        return False
    # A 403 with a reset or a retry time is a rate limit, primary or secondary.
    return error.status in _TRANSIENT or (
        error.status == 403 and _retry_after(error, time.time()) is not None
    )


def _retry_after(error: GithubException, now: float) -> float | None:
    """Seconds GitHub asks to wait (docs: rate limits for the REST API); None if it does not."""
    headers = {key.lower(): value for key, value in (error.headers or {}).items()}
    if headers.get("retry-after", "").isdigit():
        return float(headers["retry-after"])
    if (
        headers.get("x-ratelimit-remaining") == "0"
        and headers.get("x-ratelimit-reset", "").isdigit()
    ):
        return max(0.0, float(headers["x-ratelimit-reset"]) - now)
    return None
