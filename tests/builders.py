"""Proposals, incidents, verdicts, small repositories and a free port; no test lives here."""

from __future__ import annotations

import os
import socket
import subprocess
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import (
    Decision,
    Evidence,
    FindingKind,
    Proposal,
    RuleResult,
    Verdict,
)
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.incidents import Channel, Incident, Part
from finops_dagster.domain.money import Money, MoneyRange, Range

NOW = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)

_DATE = "2026-05-01T12:00:00Z"

CPU = "spec.template.spec.containers[name=server].resources.requests.cpu"
MEMORY = "spec.template.spec.containers[name=server].resources.requests.memory"


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def deployment(name: str, cpu: str = "2", memory: str = "4Gi", namespace: str = "shop") -> bytes:
    """A manifest with comments and an odd layout, which an edit must leave alone."""
    return f"""# {name}: kept by hand
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {name}
  namespace: {namespace}
  labels: {{team: checkout, environment: "prod"}}
spec:
  replicas:   3   # as agreed
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    spec:
      containers:
      - name: server
        image: registry.example/{name}:1
        resources:
          requests:
            cpu: {cpu}    # measured once

            # room for the cache
            memory: {memory}
""".encode()


def proposal(**changes: Any) -> Proposal:
    """A sane proposal for Deployment/shop/web; `changes` replace fields."""
    values: dict[str, Any] = {
        "finding_id": "finding-0123456789abcdef",
        "kind": FindingKind.RIGHTSIZE_CPU,
        "resource": "Deployment/shop/web",
        "field": CPU,
        "current": "2",
        "proposed": "500m",
        "owner": "checkout",
        "environment": "prod",
        "saving_per_month": MoneyRange(
            low=Decimal(410), mid=Decimal(480), high=Decimal(560), currency="USD"
        ),
        "carbon_kg_per_month": Range(low=12.0, mid=15.0, high=18.0),
        "risk": 0.012,
        "confidence": 0.97,
        "evidence": Evidence(
            window_start=datetime(2026, 4, 19, tzinfo=UTC),
            window_end=datetime(2026, 5, 3, tzinfo=UTC),
            samples=4032,
            figures={"cpu_cores_p99": 0.31, "cpu_request_cores": 2.0},
        ),
        "reason": "P99 of CPU was 0.31 cores in 14 days, the request is 2.",
        "reconstructed": False,
        "publication_id": "publication-1",
        "as_of": date(2026, 5, 3),
        **changes,
    }
    values.setdefault(
        "key", content_id("key", {"resource": values["resource"], "field": values["field"]})
    )
    return Proposal.model_validate(values)


def verdict(of: Proposal, decision: Decision = Decision.ALLOW) -> Verdict:
    """A verdict with one rule that spoke, or none where it allows."""
    rule = RuleResult(
        id="finops.headroom",
        title="Requests keep headroom over measured use",
        decision=decision,
        actual="1.1",
        limit="1.2",
        fix="Ask for 20 % more than the 99th percentile.",
    )
    rules = () if decision is Decision.ALLOW else (rule,)
    return Verdict(subject=of.id, decision=decision, rules=rules, bundle="bundle-abc")


def incident(
    service: str = "compute",
    amount: str = "100",
    currency: str = "USD",
    team: str = "search",
    since: date = date(2026, 10, 18),
    **changes: Any,
) -> Incident:
    """An incident of one part in account 1234, over on the day it began."""
    money = Money(amount=Decimal(amount), currency=currency)
    nothing = Decimal(0)
    given: dict[str, Any] = {
        "kind": Channel.POINT,
        "resource": f"1234/{service}/{team}",
        "owner": team,
        "since": since,
        "last_seen": since,
        "ongoing": False,
        "currency": currency,
        "money": money,
        "saving_per_month": MoneyRange(low=nothing, mid=nothing, high=nothing, currency=currency),
        "cause": "Twice what was expected.",
        "dimensions": (Part(account="1234", service=service, team=team, money=money),),
        "confidence": 0.99,
        "evidence": Evidence(
            window_start=datetime(2026, 9, 1, tzinfo=UTC),
            window_end=datetime(2026, 10, 28, tzinfo=UTC),
            samples=57,
            figures={"cost": 200.0, "expected": 100.0, "score": 9.0, "anomalies": 1.0},
        ),
        "as_of": date(2026, 10, 27),
    }
    return Incident.model_validate({**given, **changes})


def git(repository: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Plain git, as a person uses it."""
    done = subprocess.run(
        [
            "git", "-C", str(repository), "-c", "user.name=Ada", "-c", "user.email=ada@example.org",
            "-c", "init.defaultBranch=main", "-c", "commit.gpgsign=false", *arguments,
        ],
        capture_output=True, check=True, input=stdin,
        env={**os.environ, "GIT_AUTHOR_DATE": _DATE, "GIT_COMMITTER_DATE": _DATE},
    )  # fmt: skip
    return done.stdout.decode()


def bare_repository(folder: Path, files: dict[str, bytes]) -> Path:
    """A bare repository whose main branch holds `files`."""
    work = folder / "work"
    work.mkdir(parents=True)
    git(work, "init", "-q", "-b", "main")
    for name, data in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    git(work, "add", "-A")
    git(work, "commit", "-q", "-m", "start")
    bare = folder / "estate.git"
    git(folder, "clone", "-q", "--bare", str(work), str(bare))
    return bare
