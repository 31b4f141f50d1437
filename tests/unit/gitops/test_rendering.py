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
    Rung,
    Verdict,
)
from finops_dagster.domain.money import MoneyRange, Range
from finops_dagster.domain.pull_requests import FileChange, Member, PullRequest, PullRequestState
from finops_dagster.gitops import marker
from finops_dagster.gitops.changes import branch_of_value
from finops_dagster.gitops.escaping import code, one_line, prose
from finops_dagster.gitops.rendering import render_body, render_commit_message, render_title
from finops_dagster.gitops.wanted import Shown, Wanted
from finops_dagster.gitops.words import carbon_span, effect, money_span, records
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
    ("saving", "told"),
    [
        (money("410", "480", "560"), "480 (410 to 560) USD"),
        (money("0", "0", "0"), "0.00 USD"),
        (money("1.5", "1.5", "1.5"), "1.50 USD"),
        (money("12345.6", "20000", "30000"), "20,000 (12,346 to 30,000) USD"),
        (money("-40", "-30", "-20"), "-30.00 (-40.00 to -20.00) USD"),
    ],
)
def test_money_is_told_as_it_is(saving: MoneyRange, told: str) -> None:
    """Harm: a change that may cost money is sold as a saving."""
    assert money_span(saving) == told


@pytest.mark.parametrize(
    ("savings", "told"),
    [
        ([money("410", "480", "560")], "saves about 480 USD a month"),
        ([money("-40", "-30", "-20")], "costs about 30.00 USD more a month"),
        ([money("1", "2", "3")] * 2, "saves about 4.00 USD a month"),
        (
            [money("1", "2", "3"), money("1", "2", "3").model_copy(update={"currency": "EUR"})],
            "saves about 2.00 EUR and 2.00 USD a month",
        ),
        (
            [money("-3", "-2", "-1"), money("1", "2", "3").model_copy(update={"currency": "EUR"})],
            "saves about 2.00 EUR a month and costs about 2.00 USD more a month",
        ),
    ],
)
def test_money_of_several_is_added_up_by_currency(savings: list[MoneyRange], told: str) -> None:
    """Harm: euros and dollars are one sum, or a cost hides in a saving."""
    assert effect([proposal(saving_per_month=saving) for saving in savings]) == told


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
    """Harm: more carbon looks like less."""
    assert carbon_span(Range(low=12, mid=15, high=18)) == "15 (12 to 18)"
    assert carbon_span(Range(low=-3, mid=-2, high=-1)) == "-2 (-3 to -1)"


def test_body_answers_a_reviewers_questions() -> None:
    """Harm: a reviewer cannot tell what, why, on what evidence, how risky, or how to undo."""
    of = proposal()
    body = render_body([alone(of, Decision.NEEDS_APPROVAL)], Shown())
    for told in (
        "`500m`: saves about 480 USD a month.**",
        "| saving, USD | 410 | 480 | 560 |",
        "| carbon avoided, kg CO2e | 12 | 15 | 18 |",
        "| `requests.cpu (server)` | `2` | `500m` | `apps/web.yaml` |",
        "P99 of CPU was 0.31 cores",
        "4,032 samples over 14 days",
        "| `cpu_cores_p99` | 0.31 |",
        "1.2%",
        "approval",
        "`finops.headroom`",
        "`bundle-abc`",
        "git revert -m 1",
        "finops desired-state set . \\\n  --resource Deployment/shop/web",
        "--value 2",
    ):
        assert told in body


def test_body_says_what_would_have_made_it_unnecessary() -> None:
    """Harm: a team is told what to change, and not how near it was to being left alone."""
    clauses = ("its price were under 0.2 of today's", "it needed `1.3` cores | *more*")
    body = render_body([alone(proposal(counterfactual=clauses))], Shown())
    assert (
        "### It would not be proposed if\n\n- its price were under 0.2 of today's\n"
        "- it needed \\`1.3\\` cores \\| \\*more\\*\n\n### Policy"
    ) in body
    assert "It would not be proposed if" not in render_body([alone(proposal())], Shown())
    several = [alone(proposal(counterfactual=clauses)), alone(proposal(field="spec.x"))]
    assert "#### It would not be proposed if\n\n- its price" in render_body(several, Shown())


def test_title_says_it_all_in_one_line() -> None:
    """Harm: a list of pull requests that all look the same."""
    assert render_title([alone(proposal())]) == (
        "Lower the CPU request of Deployment shop/web: 2 to 500m (saves about 480 USD a month)"
    )


def test_several_that_share_a_pull_request_are_told_apart() -> None:
    """Harm: a reviewer of five changes cannot tell which of them policy objects to, or what each
    comes to, and approves them all.
    """
    web, api = proposal(), proposal(resource="Deployment/shop/api")
    memory = proposal(
        resource="Deployment/shop/db", kind=FindingKind.RIGHTSIZE_MEMORY, owner="storage",
        saving_per_month=money("1", "2", "3").model_copy(update={"currency": "EUR"}),
    )  # fmt: skip
    group = [alone(web), alone(api, Decision.NEEDS_APPROVAL), alone(memory)]
    assert render_title(group) == (
        "Lower 2 CPU requests and lower the memory request of Deployment shop/db for 2 teams "
        "(saves about 2.00 EUR and 960 USD a month)"
    )
    assert render_title(group[:2]) == (
        "Lower 2 CPU requests for team checkout (saves about 960 USD a month)"
    )
    body = render_body(group, Shown())
    assert "| `Deployment shop/db` | `requests.cpu (server)` | `2` | `500m` | 2.00 (1.00 to" in body
    assert body.count("<details>") == 4
    assert "Policy asks for a person's approval" in body
    objections = body[body.index("### Policy") :].split("\n\n")[2].split("\n")
    assert [row.split("|")[1].strip() for row in objections[2:]] == ["`Deployment shop/api`"]
    message = render_commit_message(group, Shown(ledger="f" * 64))
    assert message.count("Finops-Proposal: ") == 3
    assert message.endswith(f"Finops-Policy: bundle-abc\nFinops-Ledger: {'f' * 64}\n")


@pytest.mark.parametrize("kind", FindingKind)
def test_every_kind_has_a_title_that_reads(kind: FindingKind) -> None:
    """Harm: a new kind of finding is called `Change of Deployment shop/web`, or nothing at all."""
    title = render_title([alone(proposal(kind=kind))])
    assert re.match(
        r"(Lower|Raise|Change|Scale|Release|Reduce|Switch|Move|Use|Serve|Take|Pause|Train|"
        r"Register) [\w() .,/-]*"
        r"Deployment shop/web[\w ]*: 2 to 500m \(saves about 480 USD a month\)\Z",
        title,
    )
    assert "of of" not in title


def test_it_is_said_who_approves_how_far_it_goes_and_what_came_of_others() -> None:
    """Harm: a reviewer does not know that it is theirs to approve, or calls people by reading."""
    of = proposal(wrong_if="it has a peak that none of the days measured shows")
    judged = verdict(of).model_copy(
        update={
            "rung": Rung.ADVISE,
            "rung_reason": "no record of this kind exists yet",
            "approvers": ("@shop/leads",),
        }
    )
    shown = Shown(
        owners=("@shop/leads", "@shop/web"),
        records={"rightsize_cpu": "Of 4 none was reverted.", "idle_gpu": "Of 9 all were."},
    )
    body = render_body([Wanted(of, judged, CHANGE)], shown)
    for told in (
        "By policy: `@shop/leads`. Owners of the files: `@shop/web`.",
        "It may go as far as *advise*: it is shown on the dashboard, and a person had it opened. "
        "What that rests on: no record of this kind exists yet.",
        "It would be wrong if it has a peak that none of the days measured shows.",
        "Of 4 none was reverted.",
    ):
        assert told in body
    assert "Of 9" not in body


def test_the_record_of_a_kind_counts_what_people_decided() -> None:
    """Harm: a kind that is reverted each time is merged again; what is open counts as agreed to."""

    def ended(state: PullRequestState, kind: str = "rightsize_cpu") -> PullRequest:
        member = Member(
            key="key-1", kind=kind, resource="r", field="f", before="1", after="2",
            fingerprint="change-1", proposal_id="p", owner="o",
            saving_per_month=money("1", "2", "3"),
        )  # fmt: skip
        return opened("", members=(member,), state=state)

    states = PullRequestState
    known = [
        *[ended(states.MERGED)] * 3, ended(states.REVERTED), ended(states.OPEN),
        ended(states.SUPERSEDED), ended(states.REJECTED, "idle_gpu"), ended(states.OPEN, "x"),
    ]  # fmt: skip
    assert records(known) == {
        "rightsize_cpu": "Earlier changes of the kind rightsize cpu: 3 merged and "
        "1 reverted after their merge.",
        "idle_gpu": "Earlier changes of the kind idle gpu: 1 rejected.",
    }


def test_a_new_file_is_named_and_undone_by_a_revert() -> None:
    """Harm: the command to undo sets a value in a file that the revert takes away."""
    made = EDIT.model_copy(update={"file": "o/patch.yaml", "creates": True, "before": ""})
    change = CHANGE.model_copy(update={"edits": (made, EDIT)})
    body = render_body([Wanted(proposal(), verdict(proposal()), change)], Shown())
    assert "| `2` | `500m` | `o/patch.yaml` (new) and `apps/web.yaml` |" in body
    assert "desired-state set" not in body


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
    """The body without code, blocks and our own elements: what GitHub resolves names in."""
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
        "branch": branch_of_value("f", of.resource, of.field), "base_sha": "b" * 40,
        "head_sha": "a" * 40,
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
