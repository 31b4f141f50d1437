"""Foreign text in every place that people or machines read: inert, bounded, on its own line."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.cli.output import print_faults, print_table
from finops_dagster.domain.decisions import (
    ChangeSet,
    Decision,
    Edit,
    RuleResult,
    Rung,
    Verdict,
)
from finops_dagster.domain.errors import Fault
from finops_dagster.domain.money import MoneyRange
from finops_dagster.domain.pull_requests import UseSeries
from finops_dagster.gitops.breaker import Trip
from finops_dagster.gitops.dashboard import Choice, Remembered, Waits, read, render
from finops_dagster.gitops.escaping import (
    block,
    code,
    html,
    plain,
    prose,
    shortened,
    title,
    trailer,
)
from finops_dagster.gitops.grouping import Unit
from finops_dagster.gitops.marker import MAX_BODY_CHARACTERS
from finops_dagster.gitops.rendering import render_body, render_commit_message, render_title
from finops_dagster.gitops.wanted import Shown, Wanted
from tests.builders import proposal
from tests.unit.gitops.inert import INVISIBLE, LINKED, assert_inert, shape

HOSTILE = {
    "markdown": "**b** _i_ ~~s~~ # h [a](http://evil.example) ![p](http://evil.example/p) [r]: x",
    "autolinks": "http://evil.example https://evil.example www.evil.example ftp://evil.example",
    "html": "<img src=x onerror=alert(1)><script>alert(1)</script></details></summary><a href=x>",
    "entities": "&lt;b&gt; &#64;everyone &commat;everyone &num;1",
    "mentions": "@everyone @org/team (@octocat) x@octocat",
    "issues": "fixes #1 closes GH-2 resolves org/repo#3 gh-4",
    "ci": "[skip ci] [ci skip] [no ci] [skip actions] [actions skip]",
    "trailers": "x\n\nSigned-off-by: evil <e@evil.example>\nskip-checks: true",
    "shell": "$(reboot) `reboot` ; reboot && reboot | reboot > /etc/passwd 'x' \"y\" \\",
    "yaml": "a: {b: [c]}\n---\n- !!python/object/apply:os.system [reboot]\n&a *a |\n  x",
    "path": "../../../../etc/passwd ..\\..\\x /etc/passwd .git/config .github/workflows/ci.yml",
    "control": "\x00\x07\x08\x1b[2J\x1b]0;owned\x07\x7f\x9b31m",
    "bidi": "\u202egpj.exe\u202c \u2066x\u2069 \u200f \ufeff \u200b",
    "table": "a | b \\| c \\\\| d\n| e | f |\n|---|---|",
    "fences": "``` ```` ~~~ `a``b` \n```\n~~~\n",
    "lists": "- [ ] a\n1. b\n+ c\n> d\n    e\n===\n",
    "math": "$x$ $$y$$ $`z`$ :+1: <!-- c --> <!-- finops-pull-request/1 {} -->",
    "mermaid": "```mermaid\ngraph TD; A-->B; click A href \"http://evil.example\"\n```",
    "surrogate": "\ud800 x",
    "long": "A" * 100_000,
    "long lines": "b `c` @d #5 | <e>\n" * 6_000,
}  # fmt: skip


def hostile(text: str) -> Wanted:
    """One item in which everything that is foreign is `text`."""
    of = proposal(
        reason=text, owner=text, environment=text, resource=f"{text}/{text}/{text}", field=text,
        current=text, proposed=text, order_reason=text, wrong_if=text, publication_id=text,
        counterfactual=(text, text),
        saving_per_month=MoneyRange(low=Decimal(1), mid=Decimal(2), high=Decimal(3), currency=text),
        evidence=proposal().evidence.model_copy(update={"figures": {text: 1.0}}),
        key="key-1",
    )  # fmt: skip
    rule = RuleResult(
        id=text, title=text, decision=Decision.DENY, actual=text, limit=text, fix=text
    )
    verdict = Verdict(
        subject=of.id, decision=Decision.DENY, rules=(rule,), bundle=text, rung=Rung.ADVISE,
        rung_reason=text, approvers=(text,),
    )  # fmt: skip
    edit = Edit(file=text, start_byte=0, end_byte=1, before=text, after=text)
    change = ChangeSet(proposal_id=of.id, key=of.key, base_sha="c" * 40, edits=(edit,))
    return Wanted(of, verdict, change)


def shown(item: Wanted, text: str) -> Shown:
    """All that stands beside is `text` too."""
    use = UseSeries(
        unit=text[:50], starts=tuple(datetime(2026, 5, 1, hour, tzinfo=UTC) for hour in range(8)),
        typical=(0.1,) * 8, peak=(0.3,) * 8, current=2.0, proposed=0.5,
    )  # fmt: skip
    kind = item.proposal.kind.value
    return Shown(owners=(text, "@a/b"), uses={item.proposal.id: use}, records={kind: text},
                 ledger=text)  # fmt: skip


@pytest.fixture(params=sorted(HOSTILE))
def text(request: pytest.FixtureRequest) -> str:
    value: str = HOSTILE[request.param]
    return value.encode("utf-8", "replace").decode() if request.param != "surrogate" else "\ufffd x"


PLAIN = "plain words"


@pytest.mark.parametrize("several", [False, True])
def test_a_body_says_it_and_does_nothing(text: str, several: bool) -> None:
    """Harm: a tag's value embeds a picture, calls a company or adds an approval of its own."""
    item = hostile(text)
    group = [item, item] if several else [item]
    body = render_body(group, shown(item, text))
    tokens = assert_inert(body)
    calm = hostile(PLAIN)
    as_it_should_be = render_body([calm] * len(group), shown(calm, PLAIN))
    assert shape(tokens) == shape(assert_inert(as_it_should_be))
    assert len(body.encode()) < 48_000


def test_a_title_is_one_calm_line(text: str) -> None:
    """Harm: a title calls people, links issues or turns the list of pull requests around."""
    item = hostile(text)
    for line in (render_title([item]), render_title([item, item])):
        assert_calm_line(line)
        assert len(line) <= 255


def test_a_commit_message_keeps_its_lines_and_orders_nothing(text: str) -> None:
    """Harm: a name closes an issue, skips the checks or forges who signed off."""
    item = hostile(text)
    message = render_commit_message([item], shown(item, text))
    head, why, trailers, end = re.split(r"\n\n|\n\Z", message)
    assert end == ""
    for line in (head, why, *trailers.split("\n")):
        assert_calm_line(line)
    assert [line.partition(": ")[0] for line in trailers.split("\n")] == [
        "Finops-Proposal", "Finops-Key", "Finops-Policy", "Finops-Ledger",
    ]  # fmt: skip
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"], input=message.encode(), capture_output=True,
        check=True,
    )  # fmt: skip
    assert len(parsed.stdout.decode().splitlines()) == 4


def test_a_branch_is_a_safe_word(text: str) -> None:
    """Harm: a workload's name becomes a path, an option or a command of git."""
    name = Unit((hostile(text),)).branch
    assert re.fullmatch(r"finops/[a-z0-9][a-z0-9-]*", name)
    assert len(name) < 100
    subprocess.run(["git", "check-ref-format", "--branch", name], check=True, capture_output=True)


def test_a_comment_is_a_calm_paragraph(text: str) -> None:
    """Harm: the reason why a pull request is closed is written by whom it is about."""
    assert shape(assert_inert(f"Closed: {prose(text)}.")) == [
        "paragraph_open", "inline", "paragraph_close",
    ]  # fmt: skip


def test_the_dashboard_says_it_and_does_nothing(text: str) -> None:
    """Harm: a name of a workload ticks a box, or a reason starts a list of its own."""
    now = datetime(2026, 5, 4, tzinfo=UTC)

    def rendered(words: str) -> str:
        item = hostile(words)
        waits = Waits(
            key="key-1", fingerprint="change-1", title=render_title([item]), owner=words,
            saving_per_month=item.proposal.saving_per_month, reason=words,
        )  # fmt: skip
        kept = Remembered(
            key="key-2", fingerprint="change-2", choice=Choice.SNOOZE, at=now, saving_mid="1",
            proposed=words[:4096], title=words,
        )  # fmt: skip
        trip = Trip(scope=words[:200], reason=words, at=now)
        return render([waits], [kept], [trip], now)

    body = rendered(text)
    assert shape(assert_inert(body)) == shape(assert_inert(rendered(PLAIN)))
    assert len(body.encode()) <= MAX_BODY_CHARACTERS
    assert not read(body).choices
    assert len(read(body).remembered) == 1


@pytest.mark.parametrize("several", [1, 30])
def test_what_a_forge_takes_at_most_is_cut_between_lines_and_closed(several: int) -> None:
    """Harm: the forge refuses the body, or an open block shows our marker to every reader."""
    item = hostile("x" * 5_000)
    body = render_body([item] * several, shown(item, "y"))
    for limit in range(300, len(body.encode()), 1 + len(body.encode()) // 25):
        cut = shortened(body, limit)
        assert len(cut.encode()) <= limit
        tokens = assert_inert(f"{cut}\n\n<!-- finops-pull-request/1 {{}} -->\n")
        assert tokens[-1].type == "html_block"
        assert tokens[-1].content.startswith("<!-- finops-")
        kinds = [one.content for one in tokens if one.type == "html_block"]
        assert sum("<details>" in one for one in kinds) == sum("</details>" in one for one in kinds)


def test_a_log_and_a_terminal_show_what_can_be_printed(
    text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Harm: a log line clears the terminal, sets its title or forges another line."""
    print_table("t", ("name",), [(text,)])
    print_faults(text, (Fault(code="c", file=text, expected=text, hint=text),))
    told = capsys.readouterr()
    assert not INVISIBLE.search(told.out + told.err)


@pytest.mark.parametrize("dress", [code, prose, html, plain, title, trailer])
def test_each_dress_is_one_bounded_line(text: str, dress: object) -> None:
    """Harm: 100 kB of a tag in a table."""
    assert callable(dress)
    line = dress(text)
    assert "\n" not in line
    assert len(line) < 3_500
    assert not INVISIBLE.search(line)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=120))
def test_whatever_is_written_stays_words(text: str) -> None:
    """Harm: a combination nobody thought of."""
    item = hostile(f"x{text}")
    calm = hostile(PLAIN)
    assert shape(assert_inert(render_body([item], shown(item, f"x{text}")))) == shape(
        assert_inert(render_body([calm], shown(calm, PLAIN)))
    )


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="`~\n\r ax", max_size=40))
def test_a_block_cannot_be_left(text: str) -> None:
    """Harm: a command to undo ends its block, and what follows is live."""
    tokens = assert_inert(f"before\n\n{block(text)}\n\nafter")
    assert shape(tokens) == [
        "paragraph_open", "inline", "paragraph_close", "fence",
        "paragraph_open", "inline", "paragraph_close",
    ]  # fmt: skip


def assert_calm_line(line: str) -> None:
    assert "\n" not in line
    assert not INVISIBLE.search(line)
    for linked in LINKED:
        assert not linked.search(line), line[:200]
    assert not re.search(r"(?i)\[(skip|ci|no|actions)\b", line)
