"""The dashboard issue: ticks are read, what is remembered stays, foreign text does nothing."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from finops_dagster.domain.errors import Stopped
from finops_dagster.domain.money import MoneyRange
from finops_dagster.gitops import dashboard
from finops_dagster.gitops.breaker import Trip
from finops_dagster.gitops.dashboard import Choice, Remembered, Waits, read, render, ticked
from tests.builders import NOW

HOSTILE = (
    "<!-- finops-reject \"key-a\" --> - [x] <!-- finops-reset \"all\" -->",
    "\n- [x] <!-- finops-reset \"all\" -->\n",
    "@ann #1 GH-2 [x](javascript:alert(1)) <img src=x onerror=alert(1)> `code` | ~~~",
    "--> <script>alert(1)</script> <!--",
    "\u202eoverride\u2066 \x00\x1b[31m \u2028- [x] <!-- finops-forget \"key-a\" -->",
    "```\n---\nx: !!python/object\n" + "A" * 100_000,
    "../../etc/passwd $(rm -rf /) '; drop table",
)  # fmt: skip


def waits(key: str = "key-a", **changes: object) -> Waits:
    values: dict[str, object] = {
        "key": key, "fingerprint": "change-1", "title": "Lower the CPU", "owner": "pay",
        "saving_per_month": saving("480"), "reason": "10 pull requests are open, the limit",
        **changes,
    }  # fmt: skip
    return Waits(**values)  # type: ignore[arg-type]


def saving(mid: str, currency: str = "USD") -> MoneyRange:
    return MoneyRange(low=Decimal(mid), mid=Decimal(mid), high=Decimal(mid), currency=currency)


def chosen(key: str = "key-b", choice: Choice = Choice.SNOOZE, **changes: object) -> Remembered:
    values: dict[str, object] = {
        "key": key, "fingerprint": "change-2", "choice": choice, "at": NOW, "saving_mid": "12.5",
        "proposed": "500m", "title": "Lower the memory request", **changes,
    }  # fmt: skip
    return Remembered(**values)  # type: ignore[arg-type]


def tick(body: str, text: str) -> str:
    """What a person's click does: the first box whose line says `text`."""
    lines = body.split("\n")
    at = next(n for n, line in enumerate(lines) if text in line and "[ ]" in line)
    lines[at] = lines[at].replace("[ ]", "[x]", 1)
    return "\n".join(lines)


def test_what_waits_is_told_by_reason_with_its_money_in_each_currency() -> None:
    """Harm: nobody sees what is waiting, why, or what it is worth; currencies are added up."""
    body = render(
        [waits(), waits("key-c", saving_per_month=saving("20")),
         waits("key-d", saving_per_month=saving("7", "EUR")), waits("key-e", reason="freeze")],
        [], [], NOW,
    )  # fmt: skip
    money = "3 changes, saving 7.00 EUR, 500 USD a month."
    assert f"## 10 pull requests are open, the limit\n\n{money}" in body
    assert "## freeze\n\n1 change, saving 480 USD a month." in body
    assert body.count("open now") == body.count("snooze for 30 days") == body.count(" reject") == 4


@pytest.mark.parametrize(
    ("text", "choice"),
    [("open now", Choice.OPEN), ("snooze for", Choice.SNOOZE), ("reject", Choice.REJECT)],
)
def test_a_ticked_box_is_a_choice(text: str, choice: Choice) -> None:
    """Harm: a person ticks and nothing happens, or something else does."""
    body = render([waits()], [], [], NOW)
    assert read(body).choices == {}
    assert read(tick(body, text)).choices == {"key-a": choice}
    assert read(ticked(body, choice.value, "key-a")).choices == {"key-a": choice}


def test_several_ticks_count_as_the_most_cautious() -> None:
    """Harm: a change that was rejected is opened because a second box was hit."""
    body = tick(tick(render([waits()], [], [], NOW), "reject"), "open now")
    assert read(body).choices == {"key-a": Choice.REJECT}


def test_a_breaker_is_on_top_and_is_reset_by_its_box() -> None:
    """Harm: nobody sees why nothing comes any more, or nobody can start it again."""
    trip = Trip("team:search & co", NOW, "3 were reverted")
    body = render([waits()], [], [trip], NOW)
    assert body.index("team:search & co") < body.index("Lower the CPU")
    assert read(body).trips == (trip,)
    assert read(body).reset == frozenset()
    assert read(tick(body, "reset:")).reset == {"team:search & co"}
    assert read(ticked(body, "reset", "team:search & co")).reset == {"team:search & co"}


def test_a_reset_is_remembered_until_no_window_reaches_back_to_it() -> None:
    """Harm: what came before a reset stops everything again in the next run."""
    before = {"all": NOW - timedelta(days=3), "kind:old": NOW - timedelta(days=181)}
    body = render([], [], [], NOW, resets=before)
    assert read(body).resets == {"all": NOW - timedelta(days=3)}


def test_what_was_chosen_can_be_forgotten() -> None:
    """Harm: a slip with a box holds for months and cannot be taken back."""
    body = render([], [chosen(), chosen("key-c", Choice.REJECT)], [], NOW)
    assert "snoozed on 2026-05-04, until 2026-06-03" in body
    assert [one.key for one in read(body).remembered] == ["key-b", "key-c"]
    assert [one.key for one in read(tick(body, "forget")).remembered] == ["key-c"]


def test_the_same_things_give_the_same_body_on_any_day() -> None:
    """Harm: every run edits the issue and everybody who watches it is notified."""
    things = ([waits()], [chosen()], [Trip("all", NOW, "why")])
    assert render(*things, NOW) == render(*things, NOW + timedelta(days=20))


@pytest.mark.parametrize(
    "edit",
    [
        lambda body: body.replace("\n", "\r\n"),
        lambda body: f"Dear all, please look.\n\n{body}\n\nThanks",
        lambda body: body.replace("- [x]", "* [X]"),
        lambda body: body.replace("  - [x]", "      - [ x ]"),
        lambda body: "\n".join(reversed(body.split("\n"))),
    ],
)
def test_a_body_that_people_edited_is_still_read(edit: object) -> None:
    """Harm: a careless edit by hand wipes out every choice."""
    body = tick(render([waits()], [chosen()], [Trip("all", NOW, "why")], NOW), "open now")
    found = read(edit(body))  # type: ignore[operator]
    assert found.choices == {"key-a": Choice.OPEN}
    assert [one.key for one in found.remembered] == ["key-b"]
    assert [one.scope for one in found.trips] == ["all"]


@pytest.mark.parametrize(
    "body",
    ["", "no marker", "- [x] <!-- finops-open 7 -->", "- [x] <!-- finops-open {broken -->",
     '<!-- finops-remembered {"key": 1} -->', "<!-- finops-trip [] -->",
     "<!-- finops-resets {\"all\": \"yesterday\"} -->", f"- [x] <!-- finops-open {'[' * 5000} -->"],
)  # fmt: skip
def test_what_cannot_be_read_says_nothing(body: str) -> None:
    """Harm: an issue that somebody broke stops every run."""
    assert read(body) == dashboard.Ticked()


def test_what_waits_is_cut_at_the_limit_and_what_is_remembered_never() -> None:
    """Harm: the forge refuses the issue, or five hundred changes push out what people decided."""
    kept = [chosen(f"key-{number:04d}") for number in range(60)]
    body = render([waits(f"key-w{n}", title="é" * 150) for n in range(500)], kept, [], NOW)
    assert len(body.encode()) <= 65_536
    assert len(read(body).remembered) == 60
    shown = body.count("open now")
    assert 20 < shown < 500
    assert f"{500 - shown} more wait and are not shown" in body


def test_more_choices_than_an_issue_holds_are_counted() -> None:
    """Harm: the issue cannot be written any more, and nobody knows what was forgotten."""
    kept = [chosen(f"key-{number:04d}") for number in range(400)]
    body = render([], kept, [], NOW)
    assert len(body.encode()) <= 65_536
    left = len(read(body).remembered)
    assert read(body).remembered[-1].key == "key-0399"
    assert f"{400 - left} older choices are not remembered" in body


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_ticks_no_box_and_makes_no_markup(text: str) -> None:
    """Harm: a tag's value resets the breaker, rejects changes, mentions people or draws HTML."""
    trip = Trip(f"team:{text[:200]}", NOW, text)
    body = render(
        [waits(title=text, owner=text, reason=text)], [chosen(title=text, proposed=text[:200])],
        [trip], NOW,
    )  # fmt: skip
    found = read(body)
    assert (found.choices, found.reset, found.resets) == ({}, frozenset(), {})
    assert [(one.scope, one.at) for one in found.trips] == [(trip.scope, NOW)]
    assert [(one.key, one.proposed) for one in found.remembered] == [("key-b", text[:200])]
    assert len(body.encode()) <= 65_536
    rest = re.sub(r"<!-- finops-[a-z]+(/1)?( [^<>]*)? -->|`+[^`\n]*`+", "", body)
    assert not re.search(r"(?<!\\)<", rest)
    assert "@ann" not in rest
    assert not any(mark in body for mark in ("\u202e", "\u2066", "\x1b", "\x00", "\u2028"))


KEYS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
TIMES = st.integers(0, 10**7).map(lambda seconds: NOW - timedelta(seconds=seconds))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(KEYS, TEXT, TEXT, TEXT), max_size=6),
    st.lists(st.tuples(KEYS, st.sampled_from(list(Choice)), TIMES, TEXT), max_size=6,
             unique_by=lambda one: one[0]),
    st.lists(st.tuples(TEXT, TIMES, TEXT), max_size=4, unique_by=lambda one: one[0]),
    st.dictionaries(TEXT, TIMES, max_size=3),
)  # fmt: skip
def test_what_is_written_is_read_back(
    waiting: list[tuple[str, str, str, str]],
    kept: list[tuple[str, Choice, datetime, str]],
    stopped: list[tuple[str, datetime, str]],
    resets: dict[str, datetime],
) -> None:
    """Harm: a choice, a stop or a reset is lost or changed by being written down."""
    remembered = tuple(
        chosen(key, choice, at=at, proposed=text, title="") for key, choice, at, text in kept
    )
    trips = tuple(Trip(*one) for one in stopped)
    body = render(
        [waits(key, title=title, owner=owner, reason=reason)
         for key, title, owner, reason in waiting],
        remembered, trips, NOW, resets=resets,
    )  # fmt: skip
    found = read(body)
    assert (found.choices, found.reset) == ({}, frozenset())
    assert found.trips == trips
    assert [(one.key, one.choice, one.at, one.proposed) for one in found.remembered] == [
        (one.key, one.choice, one.at, one.proposed) for one in remembered
    ]
    assert found.resets == {
        scope: at for scope, at in resets.items() if at > NOW - timedelta(days=180)
    }
    assert render([], found.remembered, found.trips, NOW, resets=found.resets) == render(
        [], read(body).remembered, trips, NOW, resets=resets
    )


def test_a_box_that_is_not_there_cannot_be_ticked() -> None:
    """Harm: a mistyped key is taken for done."""
    with pytest.raises(Stopped, match="no box to open key-z"):
        ticked(render([waits()], [], [], NOW), "open", "key-z")
