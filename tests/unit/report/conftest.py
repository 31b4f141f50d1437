"""A made-up estate to report on: seasons, two currencies, hostile names, every section filled."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from finops_dagster.domain.decisions import (
    Abstained,
    Decision,
    Evidence,
    Finding,
    FindingKind,
    GateResult,
    Proposal,
    RuleResult,
    Verdict,
)
from finops_dagster.domain.incidents import Channel
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.pull_requests import FileChange, Member, PullRequest, PullRequestState
from finops_dagster.report import (
    BacktestRow,
    FreshnessRow,
    Link,
    ReportData,
    StageGate,
)
from finops_dagster.report.landing import Landing, Odds
from tests.builders import incident

AS_OF = date(2026, 10, 31)
TEAMS = ("payments", "search", "ml-platform", "checkout", "data-eng", "mobile", "identity", None)
HOSTILE = "<script>alert(1)</script>"


def spend(first: date, currency: str = "USD", scale: float = 1.0) -> pd.DataFrame:
    """Daily cost by team and service with weekly seasons and slow growth."""
    rows = []
    for offset in range((AS_OF - first).days + 1):
        day = first + timedelta(days=offset)
        for position, team in enumerate(TEAMS):
            for service, part in (("Compute", 0.6), ("Storage", 0.25), ("Database", 0.15)):
                level = 900 / (position + 1) * part * scale * (1 + offset / 900)
                weekly = 1 - 0.18 * (day.weekday() >= 5)
                wave = 1 + 0.06 * math.sin(offset * 1.7 + position)
                cost = Decimal(repr(round(level * weekly * wave, 6)))
                rows.append((day, currency, team, service, cost))
    columns = ["charge_date", "billing_currency", "team", "service_name", "effective_cost"]
    return pd.DataFrame(rows, columns=columns)


def forecast(frame: pd.DataFrame, currency: str, days: int = 30) -> pd.DataFrame:
    """A made-up forecast: the last week again, bands widening."""
    rows = []
    named = frame.assign(team=frame["team"].fillna("(untagged)"))
    groups = [("total", named), *named.groupby("team")]
    for series, group in groups:
        daily = group.groupby("charge_date")["effective_cost"].agg(
            lambda values: sum(values, Decimal(0))
        )
        last = [float(value) for value in daily.iloc[-7:]]
        for ahead in range(days):
            mean = last[ahead % 7] * 1.01
            half = mean * (0.05 + 0.004 * ahead)
            rows.append(
                (currency, series, AS_OF + timedelta(days=ahead + 1), mean, mean - half,
                 mean + half, mean - 1.9 * half, mean + 1.9 * half)
            )  # fmt: skip
    columns = ["currency", "series", "date", "mean", "lo80", "hi80", "lo95", "hi95"]
    return pd.DataFrame(rows, columns=columns)


def finding(
    number: int,
    kind: FindingKind,
    owner: str,
    low: str,
    mid: str,
    high: str,
    resource: str | None = None,
    reason: str = "Uses far less than it asks for.",
) -> Finding:
    """One finding with plausible evidence."""
    return Finding(
        kind=kind,
        resource=resource or f"Deployment/{owner}/service-{number}",
        field="spec.template.spec.containers[name=server].resources.requests.cpu",
        current="4",
        proposed="1500m",
        owner=owner,
        environment="prod" if number % 2 else "dev",
        saving_per_month=MoneyRange(
            low=Decimal(low), mid=Decimal(mid), high=Decimal(high), currency="USD"
        ),
        carbon_kg_per_month=Range(low=8.2, mid=11.0, high=14.9),
        risk=0.004,
        confidence=0.98,
        evidence=Evidence(
            window_start=datetime(2026, 10, 18, tzinfo=UTC),
            window_end=datetime(2026, 11, 1, tzinfo=UTC),
            samples=4032,
            figures={"cpu_cores_p99": 1.21, "cpu_request_cores": 4.0, "cpu_cores_mean": 0.4},
        ),
        reason=reason,
        engine="sizing 1",
        as_of=AS_OF,
    )


def budget(name: str, low: int, mid: int, high: int, odds: Odds | None) -> Landing:
    """A budget of October that 150 of 200 dollars are spent of."""
    return Landing(
        budget=name,
        currency="USD",
        metric="effective_cost",
        period="month",
        start=date(2026, 10, 1),
        end=date(2026, 10, 31),
        until=date(2026, 10, 22),
        amount=Decimal(200),
        planned_to_date=Decimal(142),
        actual=Decimal(150),
        expected=MoneyRange(low=Decimal(low), mid=Decimal(mid), high=Decimal(high), currency="USD"),
        month_end=date(2026, 10, 31),
        planned_by_month_end=Decimal(200),
        by_month_end=None,
        exceeded=date(2026, 10, 30) if mid > 200 else None,
        reason=None,
        odds=odds,
        no_odds=None if odds else "90 days of history are too few to check sums of 9 days on",
    )


def proposal(found: Finding) -> Proposal:
    """The proposal made from one finding."""
    shared = {name: getattr(found, name) for name in Proposal.model_fields if name in
              Finding.model_fields}  # fmt: skip
    return Proposal(
        **shared,
        finding_id=found.id,
        key=found.key,
        reconstructed=False,
        publication_id="publication-1",
    )


def verdict(made: Proposal, decision: Decision, rules: tuple[RuleResult, ...] = ()) -> Verdict:
    """What policy said of a proposal."""
    return Verdict(subject=made.id, decision=decision, rules=rules, bundle="policies-1")


@pytest.fixture
def full() -> ReportData:
    """Every section filled."""
    ends = MoneyRange(low=Decimal(197), mid=Decimal(206), high=Decimal(215), currency="USD")
    usd, eur = spend(date(2025, 10, 1)), spend(date(2026, 8, 1), "EUR", 0.1)
    found = [
        finding(1, FindingKind.RIGHTSIZE_CPU, "payments", "410.2", "482.7", "560.9"),
        finding(2, FindingKind.RIGHTSIZE_MEMORY, "payments", "30", "42", "55"),
        finding(3, FindingKind.IDLE_GPU, "ml-platform", "1810", "2040", "2300",
                reason="No GPU was used on any of the last 14 days."),
        finding(4, FindingKind.OFF_HOURS, "search", "95", "120", "160"),
        finding(5, FindingKind.UNDERPROVISIONED_CPU, "checkout", "-48", "-40", "-31",
                reason="Demand exceeded the request in 4.1 % of samples."),
        finding(6, FindingKind.UNDECLARED_WORKLOAD, HOSTILE, "200", "260", "310",
                resource=f"Deployment/shadow/{HOSTILE}"),
        *(finding(n, FindingKind.RIGHTSIZE_CPU, "data-eng", "6", "8", "11") for n in range(7, 16)),
    ]  # fmt: skip
    made = [proposal(one) for one in found[:5]]
    spoke = RuleResult(
        id="finops.gpu.budget_label",
        title="Expensive GPU types need a budget label",
        decision=Decision.NEEDS_APPROVAL,
        actual="no budget label",
        limit="label finops/budget",
        fix="Add the label, or ask its owner.",
    )
    denied = RuleResult(
        id="finops.headroom",
        title="Requests keep headroom over the 99th percentile",
        decision=Decision.DENY,
        actual="1.02",
        limit="1.15",
        fix="Propose a larger request.",
    )
    verdicts = {
        made[0].id: verdict(made[0], Decision.ALLOW),
        made[1].id: verdict(made[1], Decision.DENY, (denied,)),
        made[2].id: verdict(made[2], Decision.NEEDS_APPROVAL, (spoke,)),
        made[3].id: verdict(made[3], Decision.ALLOW),
        made[4].id: verdict(made[4], Decision.ALLOW),
    }
    pull = PullRequest(
        number=3,
        key=made[0].change_key,
        kind=made[0].kind.value,
        resource=made[0].resource,
        members=(
            Member(
                key=made[0].change_key,
                kind=made[0].kind.value,
                resource=made[0].resource,
                field=made[0].field,
                before=made[0].current,
                after=made[0].proposed,
                fingerprint="change-1",
                proposal_id=made[0].id,
                owner=made[0].owner,
                saving_per_month=made[0].saving_per_month,
            ),
        ),
        branch="finops/x",
        base_sha="a" * 40,
        head_sha="b" * 40,
        state=PullRequestState.OPEN,
        title="Smaller CPU request",
        body="",
        url="javascript:alert(1)",
        files=(FileChange(path="apps/a.yaml", hunks=1),),
        saving_per_month=made[0].saving_per_month,
        carbon_kg_per_month=made[0].carbon_kg_per_month,
        verdict=Decision.ALLOW,
        rules=(),
        fingerprint="change-1",
        proposal_id=made[0].id,
        labels=(),
    )
    coverage = pd.DataFrame(
        [
            (currency, tag, Decimal(total - bare), Decimal(bare), Decimal(total))
            for currency, total in (("USD", 60000), ("EUR", 4000))
            for tag, bare in (("team", total // 20), ("environment", total // 8),
                              ("cost_center", total // 2))
        ],
        columns=["billing_currency", "tag", "tagged_cost", "untagged_cost", "total_cost"],
    )  # fmt: skip
    return ReportData(
        estate="Northwind Robotics",
        as_of=AS_OF,
        spend=pd.concat([usd, eur], ignore_index=True),
        run_id="run-4f2a",
        publication_id="publication-77d0",
        published_at=datetime(2026, 11, 1, 6, 2, tzinfo=UTC),
        acting=True,
        forecast=pd.concat([forecast(usd, "USD"), forecast(eur, "EUR")], ignore_index=True),
        backtest=(
            BacktestRow("total", "USD", "XGBoost", 0.041, 0.81, 0.95, 56),
            BacktestRow("total", "USD", "seasonal naive", 0.072, 0.77, 0.93, 56),
        ),
        budgets=(
            budget(HOSTILE, 190, 206, 222, Odds(0.765, ends, date(2026, 10, 29), None)),
            budget("young", 180, 190, 199, None),
        ),
        gates=(
            StageGate("landing", GateResult(gate="aws charges 2026-10", result="pass", reasons=())),
            StageGate("audit", GateResult(gate="fct_costs_daily", result="pass", reasons=())),
            StageGate("ai", GateResult(gate="credit-risk", result="fail", reasons=(
                "feature income drifted: distance 0.31, limit 0.10",
                "selection ratio of group B to A is 0.71, limit 0.80"))),
            StageGate("ai", GateResult(gate="churn", result="warn", reasons=("few labels yet",))),
        ),
        incidents=(
            incident("Database", "1240.5", "USD", "search", date(2026, 10, 19), kind=Channel.SLOW,
                     cause="Database spend of search doubled from one day to the next."),
            incident("Storage", "-88.2", "EUR", "mobile", date(2026, 10, 27),
                     cause="Storage of mobile fell away."),
        ),
        findings=tuple(found),
        counted={one.id: one.saving_per_month for one in found},
        proposals=tuple(made),
        verdicts=verdicts,
        pull_requests=(pull,),
        not_proposed=(
            *(Abstained(subject=f"Deployment/data-eng/service-{n}",
                        reason="Saves less than the 10 USD a month asked for.")
              for n in range(7, 16)),
            Abstained(subject="Deployment/shadow/x", reason="No manifest declares it."),
        ),
        abstained=(
            *(Abstained(subject=f"Deployment/mobile/app-{n}",
                        reason="Measured on 3 of 14 days: too little to size.")
              for n in range(5)),
            Abstained(subject="fairness of churn", reason="No labels have arrived yet."),
        ),
        coverage=coverage,
        freshness=(
            FreshnessRow("aws", "charges", 104233, datetime(2026, 11, 1, tzinfo=UTC)),
            FreshnessRow("cluster-a", "measurements", 5210000, datetime(2026, 11, 1, tzinfo=UTC),
                         312, "clock of one node was ahead"),
            FreshnessRow("labels", "labels", 0, None),
        ),
        links=(Link("audit", "audit/index.html"), Link("drift of credit-risk", "ai/drift.html")),
    )  # fmt: skip


@pytest.fixture
def sparse() -> ReportData:
    """One bill of one month, no telemetry: a first look."""
    return ReportData(
        estate="first look",
        as_of=date(2026, 10, 31),
        spend=spend(date(2026, 10, 10)),
        abstained=(
            Abstained(subject="forecast of all series",
                      reason="22 days of spend; a forecast needs 56."),
            Abstained(subject="sizing", reason="No telemetry is configured."),
        ),
        notes=("No desired-state repository is set: nothing can be proposed.",),
    )  # fmt: skip


@pytest.fixture
def empty() -> ReportData:
    """Nothing at all."""
    return ReportData(estate="nothing", as_of=AS_OF, spend=spend(AS_OF).iloc[:0])
