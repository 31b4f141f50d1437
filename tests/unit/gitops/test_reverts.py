"""Which merged changes were taken back: read from texts that people and Git write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from finops_dagster.gitops.reverts import (
    Landed,
    undone,
    undone_by_commit,
    undone_by_pull_request,
)

A, B, C = "a" * 40, "b" * 40, "c" * 40
START = datetime(2026, 5, 4, tzinfo=UTC)


def landed(hour: int, names: set[str], undoes: set[str] | None = None) -> Landed:
    return Landed(frozenset(names), frozenset(undoes or ()), START + timedelta(hours=hour))


@pytest.mark.parametrize(
    ("message", "found"),
    [
        (f'Revert "x"\n\nThis reverts commit {A}.\n', {A}),
        (f"Revert\n\nThis reverts commit {A}, reversing\nchanges made to {B}.\n", {A}),
        (f"Two\n\nThis reverts commit {A}.\nThis reverts commit {B}.\n", {A, B}),
        (f"This reverts commit {A[:12]}.", set()),
        (f"This reverts commit {A}f.", set()),
        (f"See {A}", set()),
    ],
)
def test_what_git_writes_is_read(message: str, found: set[str]) -> None:
    """Harm: a revert goes unseen, or a commit that is only mentioned counts as taken back."""
    assert undone_by_commit(message) == found


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("Reverts acme/estate#12", {"#12"}),
        ("Reverts ACME/Estate#12\r\n\r\nIt broke.", {"#12"}),
        ("It broke.\n\nReverts #7\n", {"#7"}),
        ("Reverts other/estate#12", set()),
        ("This text says: Reverts acme/estate#12", set()),
    ],
)
def test_what_githubs_button_writes_is_read(body: str, found: set[str]) -> None:
    """Harm: a revert of another repository's pull request takes back ours of the same number."""
    assert undone_by_pull_request(body, "acme/estate") == found


def test_a_revert_of_a_revert_undoes_nothing() -> None:
    """Harm: a change that is in force again counts as rejected by people."""
    first = landed(0, {A})
    revert = landed(1, {B}, {A})
    again = landed(2, {C}, {B})
    assert undone([first, revert]) == {A: START + timedelta(hours=1)}
    assert undone([again, first, revert]) == {B: START + timedelta(hours=2)}


def test_a_pull_request_is_known_by_any_of_its_names() -> None:
    """Harm: a revert that names the branch's commit is not seen on a merge commit."""
    pull = landed(0, {"#1", A, B})
    assert set(undone([pull, landed(1, {C}, {A})])) == {"#1", A, B}
    button = landed(1, {"#2", C}, {"#1"})
    assert set(undone([pull, button])) == {"#1", A, B}
    taken_back = landed(2, {"#3"}, {"#2"})
    assert "#1" not in undone([pull, button, taken_back])
