"""What is remembered of a change, where the forge's record is odd."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.domain.decisions import ChangeSet, Edit
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.gitops.dashboard import Choice, Remembered
from finops_dagster.gitops.drawing import draw, kept
from finops_dagster.gitops.grouping import Unit
from finops_dagster.gitops.memory import (
    CoolOffs,
    Memory,
    remember,
    seen_at,
    seen_comment,
    set_back_now,
)
from finops_dagster.gitops.wanted import Shown, Wanted
from tests.builders import NOW, proposal, verdict

DAY = timedelta(days=1)


def wanted(**changes: Any) -> Wanted:
    of = proposal(**changes)
    edit = Edit(file="a.yaml", start_byte=1, end_byte=2, before=of.current, after=of.proposed)
    change = ChangeSet(proposal_id=of.id, key=of.key, base_sha="c" * 40, edits=(edit,))
    return Wanted(of, verdict(of), change)


def ended(item: Wanted, state: PullRequestState, **changes: Any) -> PullRequest:
    drawn = draw([item], item.proposal.change_key, "finops/x", Shown(), NOW)
    return drawn.model_copy(update={"number": 7, "state": state, "ended_at": NOW, **changes})


def reason(item: Wanted, *known: PullRequest, chosen: tuple[Remembered, ...] = ()) -> str:
    no = Memory(known, chosen, {}, CoolOffs(), NOW + DAY).no(Unit((item,)))
    return no.reason if no is not None else ""


def test_a_no_without_a_date_does_not_end() -> None:
    """Harm: a forge that tells no time makes every no last no time at all."""
    no = ended(wanted(), PullRequestState.REJECTED, ended_at=None)
    assert reason(wanted(), no) == "rejected by a person, as #7"


@pytest.mark.parametrize(
    ("before", "after", "asked"),
    [
        ("500m", "0.5", False),
        ("500m", "599m", False),
        ("500m", "600m", True),
        ("500m", "400m", True),
        ("1Gi", "1100Mi", False),
        ("m5.large", "m5.xlarge", True),
        ("0", "1", True),
    ],
)
def test_what_counts_as_another_value(before: str, after: str, asked: bool) -> None:
    """Harm: the same question again in other units, or a new one never."""
    no = ended(wanted(proposed=before), PullRequestState.REJECTED)
    assert (reason(wanted(proposed=after), no) == "") is asked


def test_a_saving_of_nothing_has_no_share() -> None:
    """Harm: a change that saves no money is asked about again each day for a rounding error."""
    nothing = {"low": Decimal(0), "mid": Decimal(0), "high": Decimal(0), "currency": "USD"}
    no = ended(wanted(saving_per_month=nothing), PullRequestState.REJECTED)
    little = {**nothing, "mid": Decimal("0.01"), "high": Decimal(1)}
    assert reason(wanted(saving_per_month=little), no)


def test_a_yes_ends_what_was_said_before() -> None:
    """Harm: a value that was merged since is held back by a no to it years ago."""
    no = ended(wanted(), PullRequestState.REJECTED)
    yes = ended(wanted(proposed="400m"), PullRequestState.MERGED, number=8)
    assert reason(wanted(current="400m", proposed="390m"), no, yes) == ""
    assert reason(wanted(), yes, no.model_copy(update={"number": 9}))


def test_a_choice_of_what_is_not_known_is_kept() -> None:
    """Harm: a no to a change that was not judged that day cannot be compared and is dropped."""
    item = wanted()
    chosen = remember(item.proposal.change_key, None, Choice.REJECT, NOW)
    assert reason(item, chosen=(chosen,)) == "rejected on the dashboard, until 2026-08-02"


def test_only_the_newest_merge_can_be_set_back() -> None:
    """Harm: a value that was lowered twice and raised once counts as reverted twice."""
    first = ended(wanted(), PullRequestState.MERGED, number=1)
    second = ended(wanted(current="500m", proposed="250m"), PullRequestState.MERGED, number=2)
    assert set_back_now([wanted()], [first, second]) == {}
    back = wanted(current="500m", proposed="250m")
    assert set_back_now([back], [first, second]) == {2: back.proposal.change_key}
    assert set_back_now([wanted(current="250m", proposed="100m")], [first, second]) == {}


def test_the_comment_remembers_when() -> None:
    """Harm: a cool-off begins anew with every run."""
    assert seen_at(seen_comment(NOW)) == NOW
    assert seen_at("edited by hand") is None


@given(st.text(max_size=700), st.text(max_size=700))
def test_long_names_stay_apart_and_short_ones_as_they_are(one: str, other: str) -> None:
    """Harm: two resources with long names are taken for one, or a marker fills the body."""
    assert (kept(one) == kept(other)) is (one == other)
    assert len(kept(one)) < 340
    assert len(one) > 300 or kept(one) == one
