"""An incident is explained by a change only where it is that change's costs that moved."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import pandas as pd
import pytest

from finops_dagster.domain.changes import By, Change, Commit, FieldChange
from finops_dagster.domain.incidents import Explained, Incident
from finops_dagster.engines.anomalies import Changes, explain
from tests.builders import incident

SINCE = date(2026, 10, 18)
LAST = SINCE + timedelta(days=6)
COMMIT = Commit(sha="a" * 40, on=SINCE, subject="Give it more room")
SIZED = Change(
    key="Deployment/shop/web",
    by=By.GIT,
    fields=(FieldChange(field="spec.replicas", before="2", after="4"),),
    commits=(COMMIT,),
)
BEGUN = Change(key="Deployment/shop/new", by=By.GIT, begins=True)
ENDED = Change(key="Deployment/shop/old", by=By.GIT, ends=True)
BOUGHT = Change(key="commitments of 1234", by=By.COMMITMENT, begins=True, name="Plan")


def costs(moves: Mapping[str, tuple[float, float]], service: str = "compute") -> pd.DataFrame:
    """By key what it costs a day before and since the onset, in one leaf."""
    days = [SINCE - timedelta(days=n) for n in range(21, -7, -1)]
    return pd.DataFrame(
        [
            ("1234", service, "search", "USD", key, day, before if day < SINCE else after)
            for key, (before, after) in moves.items()
            for day in days
        ],
        columns=["account", "service", "team", "currency", "key", "ds", "cost"],
    )


def told(
    moves: Mapping[str, tuple[float, float]], *changes: Change, one: Incident | None = None
) -> Explained | None:
    one = one or incident(since=SINCE, last_seen=LAST, amount="700")
    (found,) = explain([one], (), Changes({SINCE: changes}, costs(moves)), LAST)
    assert found.model_copy(update={"explained": None}) == one
    return found.explained


def test_what_grew_by_what_git_declares_is_explained_by_the_commit() -> None:
    """The first question to any rise is who changed what: the page must know."""
    found = told({"": (50, 50), SIZED.key: (100, 200)}, SIZED)
    assert found is not None
    assert (found.by, found.changes) == ((By.GIT,), (SIZED,))
    assert found.because == (
        "Deployment/shop/web spec.replicas 2 to 4, commit aaaaaaaaaa of 2026-10-18"
    )


@pytest.mark.parametrize(
    ("rest", "is_explained"),
    [(0, True), (100, True), (101, False), (-33, True), (-34, False)],
)
def test_half_of_the_move_must_be_of_it(rest: float, is_explained: bool) -> None:
    """A leak beside a small change is a leak; so is an outage that a large one covers."""
    found = told({"": (500, 500 + rest), SIZED.key: (100, 200)}, SIZED)
    assert (found is not None) == is_explained


def test_a_change_that_moved_nothing_explains_nothing() -> None:
    """Somebody merges something every day: that alone is no excuse."""
    assert told({"": (50, 150), SIZED.key: (100, 101)}, SIZED) is None
    assert told({"": (50, 150)}, SIZED) is None
    assert told({"": (50, 50), SIZED.key: (100, 200)}) is None


def test_what_begins_had_no_cost_before_and_what_ends_has_none_after() -> None:
    """Moving what already ran into Git changes no bill: a leak that day is not of it."""
    assert told({BEGUN.key: (0, 100)}, BEGUN) is not None
    assert told({BEGUN.key: (50, 150)}, BEGUN) is None
    assert told({"": (50, 50), ENDED.key: (100, 0)}, ENDED) is not None
    assert told({"": (50, 50), ENDED.key: (100, 60)}, ENDED) is None


def test_a_commitment_explains_what_it_saves() -> None:
    """Buying ahead makes a service cheaper overnight, beside what was saved before."""
    found = told({"": (300, 300), BOUGHT.key: (-20, -120)}, BOUGHT)
    assert found is not None
    assert (found.by, found.because) == ((By.COMMITMENT,), "Plan begins")
    assert told({"": (300, 150), BOUGHT.key: (-20, -40)}, BOUGHT) is None


def test_one_part_that_nothing_explains_makes_it_news() -> None:
    """What else moved that day must not hide behind what was declared."""
    one = incident(since=SINCE, last_seen=LAST)
    both = (*one.dimensions, *incident(service="storage").dimensions)
    moved = one.model_copy(update={"dimensions": both})
    frame = costs({SIZED.key: (100, 200)})
    storage = costs({"": (10, 90)}, "storage")
    news = Changes({SINCE: [SIZED]}, pd.concat([frame, storage]))
    assert [one.explained for one in explain([moved], (), news, LAST)] == [None]
    declared = costs({SIZED.key: (10, 90)}, "storage")
    both_of_it = Changes({SINCE: [SIZED]}, pd.concat([frame, declared]))
    (found,) = explain([moved], (), both_of_it, LAST)
    assert found.explained is not None
    assert found.explained.changes == (SIZED,)


def test_only_changes_around_its_own_onset_count() -> None:
    """A change of another week cannot have begun it."""
    other = Changes({SINCE - timedelta(days=9): [SIZED]}, costs({SIZED.key: (100, 200)}))
    one = incident(since=SINCE, last_seen=LAST)
    assert [found.explained for found in explain([one], (), other, LAST)] == [None]
