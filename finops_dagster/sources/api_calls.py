"""Calls to a web API that answers in JSON: tried again where that may help, told without secrets.

What is asked, and what it means, is the business of the module of each API.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from finops_dagster.domain.errors import Fault, FinopsError, SettingsError, Unavailable
from finops_dagster.sources.remote import masked

if TYPE_CHECKING:
    from tenacity import RetryCallState

MAX_ANSWER_BYTES = 32 * 2**20
"""A day of five-minute values is 40 kB; more than this is no answer."""
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_TOO_MANY = 429
_DENIED = (401, 403)
_TOLD_CHARACTERS = 200
_BLOCK = 64 * 1024


@dataclass(frozen=True)
class Patience:
    """How long a call may take and how often it is tried."""

    timeout_seconds: float = 30.0
    attempts: int = 5
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    """An API that asks for a longer wait is left alone until the next run."""


@dataclass(frozen=True)
class Reply:
    """What came back, with its body as it was sent."""

    status: int
    body: bytes
    retry_after: str = ""
    location: str = ""

    @cached_property
    def document(self) -> Any:
        """The body read as JSON. Raises ValueError."""
        return json.loads(self.body)

    @cached_property
    def text(self) -> str:
        """The body, or what it says under error or message, in one line for people."""
        said: Any = self.body.decode("utf-8", "replace")
        try:
            if isinstance(self.document, dict):
                said = self.document.get("error") or self.document.get("message") or said
        except ValueError:
            pass
        return " ".join(str(said).split())[:_TOLD_CHARACTERS]


class _TryAgainError(Exception):
    """What may be otherwise in a moment; `wait_seconds` is what the API asks for."""

    def __init__(self, told: FinopsError, wait_seconds: float | None = None) -> None:
        super().__init__(told.message)
        self.told = told
        self.wait_seconds = wait_seconds


class Api:
    """One API at `base`. No redirect is followed: it would carry the token elsewhere."""

    def __init__(
        self,
        label: str,
        base: str,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.label = label
        self._base = base.rstrip("/")
        self._patience = patience or Patience()
        self._sleep = sleep
        self._now = now
        self._secrets: list[str] = []

    @property
    def where(self) -> str:
        """Its address, to show a person."""
        return masked(self._base)

    def hide(self, secret: str) -> None:
        """Never show this text in an error."""
        self._secrets.append(secret)

    def get(
        self,
        path: str,
        *,
        about: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        basic: tuple[str, str] | None = None,
        passing: tuple[int, ...] = (),
    ) -> Reply:
        """The answer of `base`/`path`, which is JSON, or one whose status is in `passing`.

        Raises Unavailable, and SettingsError where the API does not know what is asked `about`.
        """
        from tenacity import Retrying, retry_if_exception_type, stop_after_attempt

        for secret in (*(headers or {}).values(), *(basic or ())):
            self.hide(secret)
        retrying = Retrying(
            stop=stop_after_attempt(self._patience.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(_TryAgainError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            return retrying(self._attempt, path, about, params, headers, basic, passing)
        except _TryAgainError as error:
            raise error.told from None

    def _attempt(
        self,
        path: str,
        about: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        basic: tuple[str, str] | None,
        passing: tuple[int, ...],
    ) -> Reply:
        reply = self._send(f"{self._base}/{path}", about, params, headers, basic)
        if reply.status in _TRANSIENT:
            wait = _seconds_until(reply.retry_after, self._now())
            told = self._busy(reply, about, wait)
            if wait is not None and wait > self._patience.longest_wait_seconds:
                raise told
            raise _TryAgainError(told, wait)
        if reply.status != 200:
            if reply.status in passing:
                return reply
            raise self.refused(reply, about)
        try:
            reply.document  # noqa: B018 - read here, so that a cut answer is asked for again
        except ValueError:
            start = reply.body.lstrip()[:1]
            if start in (b"{", b"["):
                raise _TryAgainError(
                    self._unavailable(
                        "api_truncated", about, "a whole JSON document; it ends early"
                    )
                ) from None
            raise self.unexpected(about, f"JSON, not {reply.text[:60]!r}") from None
        return reply

    def _send(
        self,
        url: str,
        about: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        basic: tuple[str, str] | None,
    ) -> Reply:
        import requests

        try:
            with requests.get(
                url,
                params=params,
                headers={"Accept": "application/json", **(headers or {})},
                auth=basic,
                timeout=self._patience.timeout_seconds,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = bytearray()
                for block in response.iter_content(_BLOCK):
                    body += block
                    if len(body) > MAX_ANSWER_BYTES:
                        wanted = f"at most {MAX_ANSWER_BYTES // 2**20} MiB"
                        raise self.unexpected(about, wanted)
                return Reply(
                    response.status_code,
                    bytes(body),
                    response.headers.get("Retry-After", ""),
                    response.headers.get("Location", ""),
                )
        except requests.RequestException as error:
            told = self._unavailable(
                "api_unreachable", about, f"an answer; there was none ({type(error).__name__})"
            )
            raise _TryAgainError(told) from None

    def _wait(self, state: RetryCallState) -> float:
        error = state.outcome.exception() if state.outcome is not None else None
        asked = error.wait_seconds if isinstance(error, _TryAgainError) else None
        if asked is None:
            asked = self._patience.first_wait_seconds * 2.0 ** (state.attempt_number - 1)
        return min(asked, self._patience.longest_wait_seconds)

    def _busy(self, reply: Reply, about: str, wait: float | None) -> Unavailable:
        if reply.status == _TOO_MANY:
            until = "" if wait is None else f", and asks to wait {wait:.0f} seconds"
            return self._unavailable(
                "api_rate_limited",
                about,
                f"fewer questions than the plan allows; it answers 429{until}",
                "Run again later: what was answered is kept. Ask for fewer zones, or get a larger "
                "plan.",
            )
        return self._unavailable(
            "api_error", about, f"an answer; it is status {reply.status}: {reply.text}"
        )

    def refused(self, reply: Reply, about: str) -> FinopsError:
        """The error of an answer that another try will not mend."""
        if reply.status in _DENIED:
            return self._unavailable(
                "api_denied",
                about,
                f"a token that may ask this; it is status {reply.status}: {reply.text}",
                "Set the credentials again (docs/carbon.md names their variables), and look "
                "whether the plan covers what is asked.",
            )
        if reply.location:
            return self.unexpected(about, f"no redirect (status {reply.status})")
        told = self._unavailable(
            "api_refused",
            about,
            f"a question it knows; it is status {reply.status}: {reply.text}",
            "Correct the source's path and options.zones.",
        )
        return SettingsError(told.message, told.faults)

    def unexpected(self, about: str, wanted: str) -> Unavailable:
        """The error of an answer that is none of this API's."""
        return self._unavailable(
            "api_not_understood",
            about,
            wanted,
            "Look at the address: a proxy or a login page may answer in its place.",
        )

    def _unavailable(
        self, code: str, about: str, wanted: str, hint: str = "Run again later."
    ) -> Unavailable:
        wanted = self._shown(wanted)
        fault = Fault(
            code=code,
            file=self.where,
            expected=f"{self.label} was asked for {about}; expected {wanted}.",
            hint=hint,
        )
        return Unavailable(f"{self.label}, {about}: expected {wanted}. {hint}", (fault,))

    def _shown(self, text: str) -> str:
        for secret in self._secrets:
            if secret:
                text = text.replace(secret, "***")
        return text


def asked_for(secrets: Mapping[str, str], name: str, label: str) -> str:
    """A credential of the source, from the environment. Raises SettingsError without it."""
    if not (secret := secrets.get(name, "")):
        variable = f"FINOPS_CREDENTIALS__SOURCE__{name.upper()}"
        fault = Fault(
            code="no_credentials",
            column=variable,
            expected=f"Expected credentials of {label}; {variable} is not set.",
            hint="Set it in the environment, SOURCE being the source's name in capitals with _ for "
            "-; secrets are read from nowhere else.",
        )
        raise SettingsError(f"{label} cannot be asked: {variable} is not set.", (fault,))
    return secret


def _seconds_until(retry_after: str, now: datetime) -> float | None:
    """What Retry-After asks for (RFC 9110, 10.2.3: seconds, or a date); None if it does not."""
    if retry_after.isascii() and retry_after.isdigit():
        return float(retry_after[:9])
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
