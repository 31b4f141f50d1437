"""The judge over an OPA server's REST API, for those who run one already.

The server holds the policies; this side holds the same bundle, to know what it stamps verdicts
with and to name what speaks. See https://www.openpolicyagent.org/docs/rest-api.
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from finops_dagster.domain.errors import Fault, SettingsError, Unavailable
from finops_dagster.policy.bundle import VERDICT, RegoBundle
from finops_dagster.policy.engine import UNDEFINED, EngineError
from finops_dagster.policy.judges import BundleJudge
from finops_dagster.policy.metadata import package_of

_MAX_ANSWER_BYTES = 32 * 1024 * 1024
_READ = ("domains", "limits")
"""What the rules read, there or not: what a server has of it besides decides too."""
_ROOT = "finops"


class OpaRestJudge(BundleJudge):
    """Asks an OPA server, after making sure once that it serves this very bundle.

    The server is asked for its policies and data, and what it answers is held against the
    bundle: a verdict stamped with a bundle that did not give it would be a lie.
    """

    def __init__(
        self, bundle: RegoBundle, url: str, token: str = "", timeout_seconds: float = 5.0
    ) -> None:
        """`url` is the server's, http or https; `token` goes as bearer token.

        Raises SettingsError where `url` is not one. Nothing is asked yet.
        """
        super().__init__(bundle)
        parts = urllib.parse.urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.netloc:
            raise SettingsError(
                f"OPA server: {url!r} is no http or https address",
                (
                    Fault(
                        code="opa_url",
                        expected="An http or https address of an OPA server.",
                        hint="Write it as http://HOST:8181.",
                    ),
                ),
            )
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout_seconds = timeout_seconds
        # No proxies out of the environment, and no redirects: the answer is the server's own.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
        self._verified = False

    def _answer(self, document: Mapping[str, Any]) -> Any:
        if not self._verified:
            self._verify()
            self._verified = True
        path = "/v1/" + VERDICT.replace(".", "/")
        answer = self._ask("POST", path, json.dumps({"input": document}, allow_nan=False))
        return answer.get("result", UNDEFINED)

    def _verify(self) -> None:
        ours = {_digest(source.text): source.name for source in self.policies.policies}
        tests = {_digest(source.text) for source in self.policies.tests}
        theirs = {}
        for policy in _list(self._ask("GET", "/v1/policies").get("result")):
            text = str(policy.get("raw", ""))
            package = package_of(text)
            if package == _ROOT or package.startswith(f"{_ROOT}."):
                theirs[_digest(text)] = str(policy.get("id", "a policy without id"))
        missing = sorted(name for digest, name in ours.items() if digest not in theirs)
        foreign = sorted(
            name for digest, name in theirs.items() if digest not in ours and digest not in tests
        )
        data = sorted(
            key
            for key in {*self.policies.data, *_READ}
            if self._ask("GET", f"/v1/data/{urllib.parse.quote(key, safe='')}").get("result")
            != self.policies.data.get(key)
        )
        differences = [
            f"{what} {', '.join(names[:5])}"
            for what, names in (
                ("does not serve", missing),
                ("serves besides", foreign),
                ("has other data at", data),
            )
            if names
        ]
        if differences:
            raise self._unavailable(
                f"{'; '.join(differences)}: it does not serve {self.bundle}",
                "Load the bundle's folder into the server (opa run --server --bundle policies).",
            )

    def _ask(self, method: str, path: str, body: str | None = None) -> dict[str, Any]:
        request = urllib.request.Request(
            self._url + path,
            data=None if body is None else body.encode(),
            headers=self._headers,
            method=method,
        )
        try:
            with self._opener.open(request, timeout=self._timeout_seconds) as response:
                content = response.read(_MAX_ANSWER_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 400 and method == "POST":
                    raise EngineError("the server could not evaluate the input") from error
            hint = (
                "Check the token, and that it may read policies and data."
                if error.code in {401, 403}
                else "Check the server and its log."
            )
            raise self._unavailable(f"answered {error.code}", hint) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise self._unavailable(f"did not answer: {reason}", "Is it running?") from error
        if len(content) > _MAX_ANSWER_BYTES:
            raise self._unavailable("answered more than can be a verdict", "Check the address.")
        try:
            answer = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise self._unavailable("answered no JSON", "Is it an OPA server?") from error
        if not isinstance(answer, dict):
            raise self._unavailable("answered no JSON object", "Is it an OPA server?")
        return answer

    def _unavailable(self, what: str, hint: str) -> Unavailable:
        host = urllib.parse.urlsplit(self._url).hostname
        fault = Fault(code="opa_server", expected=f"The OPA server at {host} {what}.", hint=hint)
        return Unavailable(f"OPA server at {host} {what}", (fault,))


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def _list(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
