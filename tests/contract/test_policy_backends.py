"""One suite for every backend that judges: the embedded engine, and a server of OPA's REST API.

No OPA binary can be installed everywhere, so the server is a small one that speaks OPA's Data and
Policy API over the embedded engine.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.decisions import (
    Decision,
    Evidence,
    FindingKind,
    Proposal,
    Rung,
    Verdict,
)
from finops_dagster.domain.errors import SettingsError, Unavailable
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.engine import UNDEFINED, EngineError, Source
from finops_dagster.policy.judges import BundleJudge, RegorusJudge
from finops_dagster.policy.opa import OpaRestJudge

BUNDLE = RegoBundle.load(Path(__file__).parents[2] / "policies")
LABELS = {"team": "checkout", "environment": "staging", "cost-center": "cc-1"}
TOKEN = "only-for-tests"


class FakeOpa(ThreadingHTTPServer):
    """OPA's answers to the three requests that the judge makes; `faults` replaces them."""

    daemon_threads = True

    def __init__(self, bundle: RegoBundle) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.bundle = bundle
        self.faults: dict[str, tuple[int, bytes]] = {}
        self.asked: list[str] = []
        self.authorised = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeOpa
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        bundle = self.server.bundle
        if self.path == "/v1/policies":
            policies = [
                {"id": source.name, "raw": source.text, "ast": {}}
                for source in (*bundle.policies, *bundle.tests)
            ]
            self._answer({"result": policies})
        else:
            key = self.path.removeprefix("/v1/data/")
            self._answer({"result": bundle.data[key]} if key in bundle.data else {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rule = self.path.removeprefix("/v1/").replace("/", ".")
        try:
            value = self.server.bundle.engine().evaluate(rule, body["input"])
        except EngineError as error:
            self._send(500, json.dumps({"code": "internal_error", "message": str(error)}).encode())
            return
        self._answer({} if value is UNDEFINED else {"result": value})

    def _answer(self, content: dict[str, Any]) -> None:
        self._send(200, json.dumps(content).encode())

    def _send(self, code: int, content: bytes) -> None:
        self.server.asked.append(self.path)
        self.server.authorised &= self.headers.get("Authorization") == f"Bearer {TOKEN}"
        code, content = self.server.faults.get(self.path, (code, content))
        self.send_response(code)
        if 300 <= code < 400:
            self.send_header("Location", "/v1/policies")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Silent: the tests say what matters."""


@pytest.fixture
def serve() -> Iterator[Callable[[RegoBundle], FakeOpa]]:
    running: list[tuple[FakeOpa, threading.Thread]] = []

    def start(bundle: RegoBundle) -> FakeOpa:
        server = FakeOpa(bundle)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        running.append((server, thread))
        return server

    yield start
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture(params=["embedded", "opa"])
def judge_of(
    request: pytest.FixtureRequest, serve: Callable[[RegoBundle], FakeOpa]
) -> Callable[[RegoBundle], BundleJudge]:
    """A backend that judges by the bundle it is given."""
    if request.param == "embedded":
        return RegorusJudge
    return lambda bundle: OpaRestJudge(bundle, serve(bundle).url, token=TOKEN)


def proposal(saving: str = "20", **parts: Any) -> Proposal:
    amount = Decimal(saving)
    values: dict[str, Any] = {
        "finding_id": "finding-1",
        "key": "key-1",
        "kind": FindingKind.RIGHTSIZE_CPU,
        "resource": "Deployment/shop/checkout",
        "field": "spec.template.spec.containers[name=server].resources.requests.cpu",
        "current": "1",
        "proposed": "500m",
        "owner": "checkout",
        "environment": "staging",
        "saving_per_month": MoneyRange(low=amount, mid=amount, high=amount, currency="USD"),
        "carbon_kg_per_month": Range(low=1, mid=2, high=3),
        "risk": 0.01,
        "confidence": 0.9,
        "evidence": Evidence(
            window_start=datetime(2026, 3, 1, tzinfo=UTC),
            window_end=datetime(2026, 3, 15, tzinfo=UTC),
            samples=4032,
            figures={"p95_cores": 0.4},
        ),
        "reason": "It used 0.4 cores at most.",
        "reconstructed": False,
        "publication_id": "publication-1",
        "as_of": date(2026, 3, 15),
    }
    return Proposal(**(values | parts))


def context(**resource: Any) -> dict[str, Any]:
    manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "checkout", "namespace": "shop", "labels": LABELS},
        "spec": {
            "template": {
                "spec": {
                    "containers": [{"name": "server", "resources": {"requests": {"cpu": "1"}}}]
                }
            }
        },
    }
    return {
        "resource": {
            "kind": "Deployment",
            "namespace": "shop",
            "name": "checkout",
            "labels": LABELS,
            "annotations": {},
            "manifest": manifest,
        }
        | resource,
        "environment": "staging",
        "team": "checkout",
        "spend": {
            "team_month_to_date": Decimal("400"),
            "team_forecast": Decimal("1000"),
            "currency": "USD",
        },
    }


def decisive(verdict: Verdict) -> set[str]:
    """Ids of the rules that bear the verdict out."""
    return {rule.id for rule in verdict.rules if rule.decision is verdict.decision}


def test_allow(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: a sound saving is held back, and nobody trusts policy any more."""
    verdict = judge_of(BUNDLE).judge(proposal(), context())
    assert verdict.decision is Decision.ALLOW, verdict.rules
    assert verdict.bundle == BUNDLE.id
    assert verdict.subject == proposal().id
    assert [rule.id for rule in verdict.rules] == ["autonomy.no_record", "sizing.headroom_kept"]
    assert verdict.rung is Rung.PROPOSE
    assert verdict.rung_reason == "there is no realised record of rightsize_cpu yet"
    assert verdict.approvers == ()


def test_needs_approval(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: a cut by nine tenths goes through without a person."""
    verdict = judge_of(BUNDLE).judge(proposal(current="5"), context())
    assert verdict.decision is Decision.NEEDS_APPROVAL
    assert decisive(verdict) == {"change.large_cut"}
    (rule, *_) = verdict.rules
    assert (rule.actual, rule.limit) == ("cut by 90 %", "at most 60 % at once")
    assert rule.title == "A large cut needs a person"
    assert rule.fix


def test_deny(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: a raise beyond the team's ceiling is proposed all the same."""
    verdict = judge_of(BUNDLE).judge(proposal("-50000", current="250m"), context())
    assert verdict.decision is Decision.DENY
    assert decisive(verdict) == {"spend.ceiling"}
    assert (verdict.rung, verdict.rung_reason) == (Rung.OBSERVE, "denied by spend.ceiling")
    assert verdict.rules[0].actual == "team: 51000 USD a month after the change"


def test_changed_limit_flips_the_verdict(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: limits are written into Rego, and editing them changes nothing."""
    raised = proposal("-50000", current="250m")
    data = json.loads(json.dumps(BUNDLE.data))
    limits = data["limits"]
    limits["spend"]["environments"]["staging"]["team_month"]["USD"] = 1_000_000
    for most in ("change", "team_day", "day"):
        limits["money"]["defaults"][most]["USD"] = 1_000_000
    other = BUNDLE.with_data(data)
    verdict = judge_of(other).judge(raised, context())
    assert verdict.decision is Decision.ALLOW
    assert verdict.bundle == other.id != BUNDLE.id


GOOD = {"merged": 24, "reverts": 0, "realised_ratio": {"low": "0.9", "mid": "1", "high": "1.1"}}
SMALL = {
    "ceiling": Rung.AUTOMERGE,
    "record": GOOD,
    "resources": 1,
    "capacity": {"cores": {"before": Decimal(40), "after": Decimal("38.5")}},
}


def test_automerge(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: what has earned it is never merged, or what has not is."""
    judge = judge_of(BUNDLE)
    verdict = judge.judge(proposal(), context() | SMALL)
    assert (verdict.decision, verdict.rung) == (Decision.ALLOW, Rung.AUTOMERGE)
    assert verdict.rung_reason.startswith("rightsize_cpu: 24 merged, 0 reverted")
    for change, rung in (
        ({"ceiling": Rung.PROPOSE}, Rung.PROPOSE),
        ({"ceiling": Rung.OBSERVE}, Rung.OBSERVE),
        ({"record": GOOD | {"reverts": 2}}, Rung.PROPOSE),
        ({"resources": 2}, Rung.PROPOSE),
        ({"resources": 11}, Rung.PROPOSE),
        ({"environment": "production"}, Rung.PROPOSE),
    ):
        assert judge.judge(proposal(), context() | SMALL | change).rung is rung, change
    assert judge.judge(proposal(risk=0.5), context() | SMALL).rung is Rung.ADVISE


def test_window_holds_back_without_refusing(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: in a freeze pull requests are opened, or those that are open are closed as denied."""
    data = json.loads(json.dumps(BUNDLE.data))
    freeze = {"first": "2026-03-10", "last": "2026-03-20", "reason": "audit"}
    data["limits"]["windows"]["defaults"]["freezes"] = [freeze]
    judge = judge_of(BUNDLE.with_data(data))
    inside = context() | {"now": datetime(2026, 3, 15, 6, tzinfo=UTC)}
    verdict = judge.judge(proposal(), inside)
    assert (verdict.decision, verdict.rung) == (Decision.ALLOW, Rung.ADVISE)
    assert verdict.rung_reason == "2026-03-15 is in the freeze audit"
    after = context() | {"now": datetime(2026, 3, 21, 6, tzinfo=UTC)}
    assert judge.judge(proposal(), after).rung is Rung.PROPOSE
    raised = proposal("-20", current="250m", kind=FindingKind.UNDERPROVISIONED_CPU)
    assert judge.judge(raised, inside).rung is Rung.PROPOSE


def test_approvers(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: much money in production is moved, and nobody says who has to agree."""
    asked = context() | {"environment": "production"}
    verdict = judge_of(BUNDLE).judge(proposal("3000", current="900m"), asked)
    assert verdict.decision is Decision.NEEDS_APPROVAL
    assert verdict.approvers == ("@team/checkout",)
    (rule,) = [one for one in verdict.rules if one.id == "approval.required"]
    assert rule.limit == "2 people of @team/checkout"


def test_domain(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: a backend does not know of the domains, and judges their teams by milder limits."""
    claimed = {"teams": ["checkout"], "limits": {"blast_radius": {"max_cut_share": 0.4}}}
    bundle = BUNDLE.with_data({**BUNDLE.data, "domains": {"shops": claimed}})
    verdict = judge_of(bundle).judge(proposal(), context())
    assert decisive(verdict) == {"change.large_cut"}
    claimed = {"teams": ["checkout"], "limits": {"headroom": {"cpu_figures": []}}}
    bundle = BUNDLE.with_data({**BUNDLE.data, "domains": {"shops": claimed}})
    verdict = judge_of(bundle).judge(proposal(), context())
    assert (verdict.decision, verdict.rung) == (Decision.DENY, Rung.OBSERVE)
    (rule,) = [one for one in verdict.rules if one.id == "policy.domain_limits"]
    assert rule.actual == (
        "domain shops, limits: headroom.cpu_figures is not for a domain to change"
    )


def test_manifest(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: a manifest that asks for expensive GPUs passes the check."""
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "train", "labels": LABELS},
        "spec": {"nodeSelector": {"node.kubernetes.io/instance-type": "p5.48xlarge"}},
    }
    verdict = judge_of(BUNDLE).judge_manifest(manifest, "pod.yaml#0")
    assert verdict.decision is Decision.DENY
    assert decisive(verdict) == {"compute.gpu_budget"}
    assert verdict.subject == "pod.yaml#0"


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"resource": None},
        {"resource": {"kind": "Deployment", "labels": LABELS, "manifest": None}},
        {"resource": {"kind": "Deployment", "labels": LABELS, "manifest": "{not json"}},
        {"resource": {"kind": "Deployment", "labels": ["team"], "manifest": {}}},
        {"resource": {"kind": object(), "labels": LABELS, "manifest": {}}},
    ],
)
def test_what_cannot_be_judged_is_denied(
    judge_of: Callable[[RegoBundle], BundleJudge], broken: dict[str, Any]
) -> None:
    """Harm: half a context is judged as if it were whole, and the rules stay silent."""
    verdict = judge_of(BUNDLE).judge(proposal(), broken)
    assert verdict.decision is Decision.DENY
    assert decisive(verdict) & {"policy.input", "policy.engine"}


def test_missing_limits_deny(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: the limits file is lost, and every rule falls silent, which reads as allowed."""
    verdict = judge_of(BUNDLE.with_data({"limits": {}})).judge(proposal(), context())
    assert verdict.decision is Decision.DENY


def test_answer_that_is_no_verdict_is_denied(
    judge_of: Callable[[RegoBundle], BundleJudge],
) -> None:
    """Harm: a bundle of another make answers true, and that is taken for allow."""
    for body in (
        "verdict := true",
        'verdict := {"decision": "allow"}',
        'verdict := {"decision": "allow", "rules": [{"id": "x", "decision": "deny"}]}',
        'verdict := {"decision": "maybe", "rules": []}',
        'verdict := {"decision": "deny", "rules": []}',
        'verdict := {"decision": "allow", "rules": [], "rung": "up"}',
        'verdict := {"decision": "allow", "rules": [], "rung_reason": 7}',
        'verdict := {"decision": "allow", "rules": [], "approvers": "@acme/x"}',
        'verdict := {"decision": "allow", "rules": [], "approvers": ["@a b", 7]}',
        'verdict := {"decision": "allow", "rules": [], "approvers": ["**everybody**"]}',
        'verdict := {"decision": "needs_approval", "rung": "automerge", "rules": [{"id": '
        '"change.large_cut", "decision": "needs_approval", "actual": "a", "limit": "b"}]}',
        "verdict if input.never",
    ):
        policies = (Source("verdict.rego", f"package finops\nimport rego.v1\n{body}\n"),)
        other = RegoBundle(BUNDLE.root, "bundle-other", policies, (), {}, BUNDLE.rules)
        verdict = judge_of(other).judge(proposal(), context())
        assert verdict.decision is Decision.DENY, body
        assert decisive(verdict) == {"policy.engine"}
        assert verdict.rung is Rung.OBSERVE


def test_bundle_that_knows_no_rungs(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: somebody else's bundle merges everything, or opens what it denies."""
    for said, rung in (
        ('{"decision": "allow", "rules": []}', Rung.PROPOSE),
        (
            '{"decision": "deny", "rules": [{"id": "change.large_cut", "decision": "deny", '
            '"actual": "a", "limit": "b"}]}',
            Rung.OBSERVE,
        ),
    ):
        text = f"package finops\nimport rego.v1\nverdict := {said}\n"
        policies = (Source("verdict.rego", text),)
        other = RegoBundle(BUNDLE.root, "bundle-other", policies, (), {}, BUNDLE.rules)
        verdict = judge_of(other).judge(proposal(), context() | SMALL)
        assert (verdict.rung, verdict.rung_reason, verdict.approvers) == (rung, "", ())


HOSTILE = 'x"}\n}\nresults contains {"id": "a"} if true\n# {{ 1 }} ${HOME} `id` \u202e\x00'


def test_hostile_text_is_only_data(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: a label value rewrites the policy, or hides behind control characters."""
    judge = judge_of(BUNDLE)
    labels = LABELS | {"team": HOSTILE, HOSTILE: HOSTILE}
    asked = context(labels=labels, name=HOSTILE)
    assert judge.judge(proposal(reason=HOSTILE), asked).decision is Decision.ALLOW
    selector = {"accelerator": f"{HOSTILE} nvidia-a100"}
    manifest = {"kind": "Pod", "metadata": {"labels": labels}, "spec": {"nodeSelector": selector}}
    for rule in judge.judge_manifest(manifest, HOSTILE).rules:
        assert "\n" not in rule.actual
        assert "\x00" not in rule.actual
        assert "\u202e" not in rule.actual


def test_many_threads(judge_of: Callable[[RegoBundle], BundleJudge]) -> None:
    """Harm: the engine is handed to another thread and takes the process down."""
    judge = judge_of(BUNDLE)
    verdicts: list[Verdict] = []
    threads = [
        threading.Thread(target=lambda: verdicts.append(judge.judge(proposal(), context())))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [verdict.decision for verdict in verdicts] == [Decision.ALLOW] * 4


class TestOpaServer:
    """What only a server can do: be away, be another, answer nonsense."""

    def test_token_is_sent_and_the_bundle_verified_once(
        self, serve: Callable[[RegoBundle], FakeOpa]
    ) -> None:
        """Harm: each verdict costs a download of all policies, or goes without the token."""
        server = serve(BUNDLE)
        judge = OpaRestJudge(BUNDLE, f"{server.url}/", token=TOKEN)
        judge.judge(proposal(), context())
        judge.judge(proposal(), context())
        assert server.asked == [
            "/v1/policies",
            "/v1/data/limits",
            "/v1/data/finops/verdict",
            "/v1/data/finops/verdict",
        ]
        assert server.authorised

    def test_other_limits_are_refused(self, serve: Callable[[RegoBundle], FakeOpa]) -> None:
        """Harm: a verdict is stamped with a bundle whose limits the server never had."""
        other = BUNDLE.with_data({"limits": {}})
        judge = OpaRestJudge(BUNDLE, serve(other).url)
        with pytest.raises(Unavailable, match="other data at limits"):
            judge.judge(proposal(), context())

    def test_other_policies_are_refused(self, serve: Callable[[RegoBundle], FakeOpa]) -> None:
        """Harm: somebody's extra rule in our package decides under our bundle's name."""
        extra = Source(
            "extra.rego", "package finops.rules.x.y\nimport rego.v1\nevaluable := true\n"
        )
        fewer = RegoBundle(
            BUNDLE.root, "b", (*BUNDLE.policies[1:], extra), (), BUNDLE.data, BUNDLE.rules
        )
        judge = OpaRestJudge(BUNDLE, serve(fewer).url)
        with pytest.raises(Unavailable, match=r"does not serve .*; serves besides extra.rego"):
            judge.judge(proposal(), context())

    def test_nobody_there(self, serve: Callable[[RegoBundle], FakeOpa]) -> None:
        """Harm: an unreachable server reads as allow, or as an internal fault."""
        server = serve(BUNDLE)
        url = server.url
        server.shutdown()
        server.server_close()
        with pytest.raises(Unavailable, match="did not answer") as caught:
            OpaRestJudge(BUNDLE, url, timeout_seconds=1).judge(proposal(), context())
        assert caught.value.faults[0].hint

    @pytest.mark.parametrize(
        ("path", "code", "content"),
        [
            ("/v1/policies", 401, b"{}"),
            ("/v1/policies", 302, b""),
            ("/v1/data/finops/verdict", 500, b"{}"),
            ("/v1/data/finops/verdict", 503, b"later"),
            ("/v1/data/finops/verdict", 200, b"<html>"),
            ("/v1/data/finops/verdict", 200, b"[1]"),
            ("/v1/data/finops/verdict", 200, b'{"result": {"deci'),
        ],
    )
    def test_faults(
        self, serve: Callable[[RegoBundle], FakeOpa], path: str, code: int, content: bytes
    ) -> None:
        """Harm: an error page or half an answer is read as a verdict."""
        server = serve(BUNDLE)
        server.faults[path] = (code, content)
        with pytest.raises(Unavailable):
            OpaRestJudge(BUNDLE, server.url).judge(proposal(), context())

    def test_bad_request_is_a_denial(self, serve: Callable[[RegoBundle], FakeOpa]) -> None:
        """Harm: an input the server cannot evaluate stops the run where it should be denied."""
        server = serve(BUNDLE)
        server.faults["/v1/data/finops/verdict"] = (400, b"{}")
        verdict = OpaRestJudge(BUNDLE, server.url).judge(proposal(), context())
        assert decisive(verdict) == {"policy.engine"}

    @pytest.mark.parametrize("url", ["", "opa:8181", "file:///etc/passwd", "ftp://opa"])
    def test_addresses(self, url: str) -> None:
        """Harm: a file is read in place of a server."""
        with pytest.raises(SettingsError):
            OpaRestJudge(BUNDLE, url)
