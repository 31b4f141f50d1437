"""How GitHub is reached: who asks, redirects followed, answers that did not change not sent again.

What is asked is the business of the modules above; when it is asked again, of calls.
"""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field
from math import ceil
from typing import Any
from urllib.parse import urljoin, urlsplit

import github
import jwt
import requests
from github.Requester import Requester

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.gitops.github.answers import Answer, Answers

_USER_AGENT = "finops-dagster"
_API_VERSION = "2022-11-28"
_REDIRECTS = frozenset({301, 302, 307, 308})
_LONGEST_CHAIN = 5
_BLOBS = "/git/blobs/"
"""Named by their content, many, and kept by who reads them: not worth keeping twice."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class App:
    """A GitHub App as it is installed on the repository's owner."""

    app_id: str
    installation_id: int
    private_key: str = field(repr=False)
    """PEM."""

    def auth(self) -> github.Auth.AppAuth:
        """As the App itself, by a token that it signs."""
        return github.Auth.AppAuth(self.app_id, self.private_key)


Access = str | App
"""A token, or an App."""


class Transport(Requester):
    """PyGithub's requests, with redirects as GitHub asks for them, and conditional.

    PyGithub itself loses the query where a repository was renamed, takes a redirected write for
    done, and half an answer for a whole one.
    """

    def __init__(
        self, api_url: str, access: Access, timeout_seconds: float, answers: Answers | None
    ) -> None:
        auth: github.Auth.Auth = (
            access.auth().get_installation_auth(access.installation_id)
            if isinstance(access, App)
            else github.Auth.Token(access)
        )
        self.moved_to = ""
        """Address that GitHub redirected to last; empty where it never did."""
        self._answers = answers
        self._session = requests.Session()
        self._session.auth = Requester.noopAuth  # or requests would look into a .netrc file
        self._timeout_seconds = timeout_seconds
        super().__init__(
            auth=auth,
            base_url=api_url.rstrip("/"),
            timeout=ceil(timeout_seconds),
            user_agent=_USER_AGENT,
            per_page=100,
            verify=True,
            retry=None,  # retried in calls: PyGithub would repeat what creates
            pool_size=None,
            lazy=True,
        )

    def requestJson(  # noqa: N802 - PyGithub's name
        self,
        verb: str,
        url: str,
        parameters: dict[str, Any] | None = None,
        headers: dict[str, Any] | None = None,
        input: Any | None = None,
        cnx: Any = None,
        follow_302_redirect: bool = False,
    ) -> tuple[int, dict[str, Any], str]:
        """(status, headers in lower case, body). Raises RequestException where none is whole."""
        sent: dict[str, str] = {
            "Accept": "application/vnd.github+json",
            "User-Agent": _USER_AGENT,
            "X-GitHub-Api-Version": _API_VERSION,
            **(headers or {}),
        }
        self._authenticate(sent)
        address = url if "://" in url else f"{self.base_url}{url}"
        address = Requester.add_parameters_to_url(address, parameters or {})
        answers = self._answers if verb == "GET" and _BLOBS not in address else None
        known = answers.get(address) if answers is not None else None
        if known is not None:
            sent["If-None-Match"] = known.etag
        answer = self._send(verb, address, sent, input)
        told = {key.lower(): value for key, value in answer.headers.items()}
        if answer.status_code == 304 and known is not None:
            return 200, {**told, **known.headers}, known.body
        _must_be_whole(answer)
        if answers is not None and answer.status_code == 200 and told.get("etag"):
            answers.put(address, Answer.of(told, answer.text))
        return answer.status_code, told, answer.text

    def _authenticate(self, headers: dict[str, str]) -> None:
        assert self.auth is not None
        try:
            self.auth.authentication(headers)
        except (ValueError, TypeError, jwt.PyJWTError):
            raise SettingsError("The private key of the GitHub App cannot be used.", (
                Fault(
                    code="app_key",
                    expected="A private key in PEM was expected.",
                    hint="Set FINOPS_GITHUB_APP_KEY, or the file that FINOPS_GITHUB_APP_KEY_FILE "
                    "names, to the key that GitHub gave for the App.",
                ),
            )) from None  # fmt: skip

    def _send(
        self, verb: str, address: str, headers: dict[str, str], content: Any
    ) -> requests.Response:
        host = urlsplit(address).netloc
        for _ in range(_LONGEST_CHAIN):
            answer = self._session.request(
                verb,
                address,
                headers=headers,
                json=content,
                timeout=self._timeout_seconds,
                allow_redirects=False,
            )
            answer.encoding = "utf-8"
            target = urljoin(address, answer.headers.get("Location", ""))
            if answer.status_code not in _REDIRECTS or urlsplit(target).netloc != host:
                return answer
            if target != self.moved_to:
                _log.warning("GitHub redirects %s to %s", address, target)
            address = self.moved_to = target
        raise requests.TooManyRedirects(f"more than {_LONGEST_CHAIN} redirects")


def _must_be_whole(answer: requests.Response) -> None:
    if answer.status_code >= 300 or not answer.text:
        return
    try:
        json.loads(answer.text)
    except ValueError:
        raise requests.exceptions.InvalidJSONError("the answer is no JSON") from None
