"""What reviewers read: true sentences, bounded, and foreign text without power."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import (
    ChangeSet,
    Decision,
    Edit,
    Evidence,
    FindingKind,
    Proposal,
    RuleResult,
    Verdict,
)
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.pull_requests import FileChange, PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import branch_of_value
from finops_dagster.gitops.escaping import code, one_line, prose
from finops_dagster.gitops.rendering import render_body, render_commit_message, render_title
from finops_dagster.gitops.wanted import Shown, Wanted
from finops_dagster.gitops.words import carbon_sentence, money_sentence
from tests.builders import proposal, verdict

EDIT = Edit(file="apps/web.yaml", start_byte=1, end_byte=2, before="2", after="500m")
CHANGE = ChangeSet(proposal_id="p", key="key-1", base_sha="c" * 40, edits=(EDIT,))

HOSTILE = (
    "`x` @everyone <img src=x onerror=alert(1)> [a](http://evil) ![b](c) #12 GH-7 "
    "http://evil.example www.evil.example | \\| *b* _i_ ~~s~~ $m$ <!-- x --> "
    "\u202e\u200b\x07\n# h\n"
)


def alone(of: Proposal, decision: Decision = Decision.ALLOW) -> Wanted:
    return Wanted(of, verdict(of, decision), CHANGE)


def money(low: str, mid: str, high: str) -> MoneyRange:
    return MoneyRange(low=Decimal(low), mid=Decimal(mid), high=Decimal(high), currency="USD")


@pytest.mark.parametrize(
    ("saving", "sentence"),
    [
        (money("410", "480", "560"), "Saves 410 to 560 USD a month (95 %)."),
        (money("0", "0", "0"), "Saves no money."),
        (money("1.5", "1.5", "1.5"), "Saves 1.50 USD a month (95 %)."),
        (money("12345.6", "20000", "30000"), "Saves 12,346 to 30,000 USD a month (95 %)."),
        (money("-40", "-30", "-20"), "Costs 20.00 to 40.00 USD more a month (95 %)."),
        (
            money("-5", "10", "30"),
            "Between 5.00 USD more and 30.00 USD less a month (95 %), "
            "saves about 10.00 USD a month.",
        ),
    ],
)
def test_money_is_told_as_it_is(saving: MoneyRange, sentence: str) -> None:
    """Harm: a change that may cost money is sold as a saving."""
    assert money_sentence(saving) == sentence


def test_a_change_for_carbon_alone_says_what_it_is_for() -> None:
    """Harm: `saves about 0 USD` makes a reader close it; a risk of demand is none of a start."""
    moved = proposal().model_copy(
        update={
            "kind": FindingKind.CARBON_HOURS,
            "current": "15 1 * * *",
            "proposed": "15 4 * * *",
            "saving_per_month": money("0", "0", "0"),
            "carbon_kg_per_month": Range(low=12, mid=24, high=36),
        }
    )
    title = render_title([alone(moved)])
    assert title.startswith("Move the start of ")
    assert title.endswith("to 15 4 * * * (avoids about 24 kg CO2e a month)")
    assert "probability that a run emits more than before" in render_body([alone(moved)], Shown())


def test_carbon_is_told_as_it_is() -> None:
    """Harm: unknown carbon looks like none."""
    assert carbon_sentence(Range(low=12, mid=15, high=18)) == (
        "Avoids 12 to 18 kg CO2e a month (95 %)."
    )
    assert carbon_sentence(Range(low=-3, mid=-2, high=-1)).startswith("Adds 1 to 3 kg")
    assert "more and 2 less" in carbon_sentence(Range(low=-1, mid=0, high=2))
    assert "not known" in carbon_sentence(Range(low=0, mid=0, high=0))


def test_body_answers_a_reviewers_questions() -> None:
    """Harm: a reviewer cannot tell what, why, on what evidence, how risky, or how to undo."""
    of = proposal()
    body = render_body([alone(of, Decision.NEEDS_APPROVAL)], Shown())
    for told in (
        "`500m`: saves about 480 USD a month.**",
        "| saving, USD | 410 | 480 | 560 |",
        "| carbon avoided, kg CO2e | 12 | 15 | 18 |",
        "| `2` | `500m` | `apps/web.yaml` |",
        "P99 of CPU was 0.31 cores",
        "4,032 samples over 14 days",
        "| `cpu_cores_p99` | 0.31 |",
        "1.2%",
        "approval",
        "`finops.headroom`",
        "`bundle-abc`",
        "git revert -m 1",
        "finops desired-state set . --resource Deployment/shop/web",
        "--value 2",
    ):
        assert told in body


def test_title_says_it_all_in_one_line() -> None:
    """Harm: a list of pull requests that all look the same."""
    assert render_title([alone(proposal())]) == (
        "Lower the CPU request of Deployment shop/web: 2 to 500m (saves about 480 USD a month)"
    )


@pytest.mark.parametrize("text", [HOSTILE, "@team", "a\nb", "```", "`", "1. x", "- x", "+x"])
def test_foreign_text_has_no_power(text: str) -> None:
    """Harm: a tag value mentions a company, embeds a picture or breaks the table."""
    of = proposal(
        reason=text, owner=text, environment=text, resource=f"Deployment/{text}/web",
        field=text, current=text, proposed=text,
        saving_per_month=MoneyRange(low=Decimal(1), mid=Decimal(2), high=Decimal(3), currency=text),
        evidence=proposal().evidence.model_copy(update={"figures": {text: 1.0}}),
    )  # fmt: skip
    rule = RuleResult(
        id=text, title=text, decision=Decision.DENY, actual=text, limit=text, fix=text
    )
    judged = Verdict(subject="s", decision=Decision.DENY, rules=(rule,), bundle=text)
    edit = EDIT.model_copy(update={"file": text, "before": text, "after": text})
    item = Wanted(of, judged, CHANGE.model_copy(update={"edits": (edit,)}))
    body = render_body([item], Shown())
    outside = without_code(body)
    assert not re.search(r"@\w", outside)
    assert not re.search(r"(?<!#)#\d", outside)
    assert not re.search(r"GH-\d", outside)
    assert "http://" not in outside
    assert "www.evil" not in outside
    assert not re.search(r"(?<!\\)[\[\]<>]", outside)
    for character in "\u202e\x07":
        assert character not in body
    columns = [
        re.sub(r"\\.", "", line).count("|") for line in outside.split("\n") if line[:1] == "|"
    ]
    assert set(columns) == {3, 5, 6}
    for line in (render_title([item]), *render_commit_message([item], Shown()).split("\n")):
        assert "\u202e" not in line
        assert len(line) <= 700
    assert len(render_title([item])) <= 255


def without_code(body: str) -> str:
    """The body with code spans, blocks and our own elements taken out, as GitHub resolves nothing there."""
    body = re.sub(r"(?ms)^(`{3,})text$.*?^\1$", "", body)
    body = re.sub(r"</?(?:details|summary)>", "", body)
    return re.sub(r"(`+)(?!`).+?(?<!`)\1(?!`)", "CODE", body)


@given(st.text(max_size=60))
def test_code_spans_cannot_be_left(text: str) -> None:
    """Harm: backticks in a name end the code span, and what follows is live."""
    span = code(text)
    fence = re.match(r"`+", span)
    assert fence is not None
    inner = span[len(fence[0]) : -len(fence[0])]
    assert span.endswith(fence[0])
    assert fence[0] not in re.findall(r"`+", inner)
    assert "\n" not in span
    assert "|" not in code(text, cell=True)


@given(st.text(max_size=200))
def test_one_line_is_one_line(text: str) -> None:
    """Harm: a control or bidirectional character turns a title or a log around."""
    line = one_line(text, 50)
    assert len(line) <= 50
    assert line.isprintable()
    assert one_line(line, 50) == line
    assert "\n" not in prose(text)


def opened(body: str, **changes: object) -> PullRequest:
    of = proposal()
    return PullRequest.model_validate({
        "number": 3, "key": of.key, "kind": "rightsize_cpu", "resource": of.resource,
        "branch": branch_of_value("f", of.resource, of.field), "base_sha": "b" * 40, "head_sha": "a" * 40,
        "state": PullRequestState.OPEN, "title": "t", "body": body, "url": "u",
        "files": (FileChange(path="f", hunks=1),), "saving_per_month": of.saving_per_month,
        "carbon_kg_per_month": of.carbon_kg_per_month, "verdict": Decision.ALLOW,
        "rules": ("r",), "fingerprint": "change-1", "proposal_id": of.id, "labels": ("finops",),
        **changes,
    })  # fmt: skip


def read_back(body: str, of: PullRequest) -> PullRequest | None:
    return marker.as_pull_request(
        body, number=of.number, branch=of.branch, head_sha=of.head_sha, state=of.state,
        title=of.title, url=of.url, labels=of.labels,
    )  # fmt: skip


@given(st.text(max_size=100), st.text(max_size=100), st.text(max_size=100))
def test_the_marker_brings_everything_back(body: str, resource: str, rule: str) -> None:
    """Harm: the forge forgets whose pull request it is, and a second one is opened."""
    before = opened(body, resource=resource, rules=(rule,))
    sealed = marker.seal(before)
    after = read_back(sealed, before)
    assert after is not None
    assert after.model_copy(update={"body": body}) == before
    assert marker.seal(after) == sealed


@given(st.lists(st.floats(-1e9, 1e9), min_size=3, max_size=3).map(sorted))
def test_the_marker_brings_back_what_a_change_costs(ends: list[float]) -> None:
    """Harm: a request that is raised, which costs money, is forgotten and updated on every run."""
    low, mid, high = ends
    money = {
        name: str(Decimal(repr(end)))
        for name, end in zip(("low", "mid", "high"), ends, strict=True)
    }
    before = opened(
        "x",
        saving_per_month={**money, "currency": "EUR"},
        carbon_kg_per_month={"low": low, "mid": mid, "high": high},
    )
    after = read_back(marker.seal(before), before)
    assert after is not None
    assert after.model_copy(update={"body": "x"}) == before


def test_a_forged_marker_in_the_text_is_not_believed() -> None:
    """Harm: a workload's description tells the bot that a change was already rejected."""
    forged = marker.seal(opened("x", key="key-forged"))
    believed = marker.read(forged)
    assert believed is not None
    assert believed.key == "key-forged"
    sealed = marker.seal(opened(f"text {forged} more"))
    found = marker.read(sealed)
    assert found is not None
    assert found.key == proposal().key


@pytest.mark.parametrize(
    "body", ["", "x", "<!-- finops-pull-request/1 {} -->", "<!-- finops-pull-request/1 {x} -->"]
)
def test_without_a_marker_the_branch_stands_for_the_key(body: str) -> None:
    """Harm: a tidied body makes the pull request a stranger's."""
    ours = read_back(body, opened(""))
    assert ours is not None
    assert (ours.key, ours.fingerprint) == (ours.branch, "")
    assert read_back(body, opened("", branch="finops/by-hand")) is None


def test_long_bodies_are_cut_and_keep_their_marker() -> None:
    """Harm: GitHub refuses the body, or the marker is what gets cut."""
    sealed = marker.seal(opened("é line\n" * 20_000))
    assert len(sealed.encode()) <= marker.MAX_BODY_CHARACTERS
    assert "Shortened" in sealed
    assert marker.read(sealed) is not None


def test_many_figures_and_rules_are_counted_not_shown() -> None:
    """Harm: a body that nobody reads to the end."""
    figures = {f"figure_{number}": float(number) for number in range(100)}
    evidence: Evidence = proposal().evidence.model_copy(update={"figures": figures})
    of = proposal(evidence=evidence)
    body = render_body([alone(of)], Shown())
    assert "70 more are not shown" in body
