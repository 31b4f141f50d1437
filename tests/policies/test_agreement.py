"""Where rules mean the same as Gatekeeper's library, they say the same of its samples."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest

from finops_dagster.policy.check import check_path
from tests.policies.agreement import (
    MEANINGS,
    NOT_OURS,
    Case,
    NotComparableError,
    cases,
    table,
    violates,
)
from tests.policies.mutants import BUNDLE

ROOT = Path(__file__).parents[2]
LIBRARY = ROOT.parent / "shared" / "data" / "policy" / "gatekeeper_library"
pytestmark = pytest.mark.skipif(not LIBRARY.is_dir(), reason="needs Gatekeeper's library beside")
CASES = cases(LIBRARY) if LIBRARY.is_dir() else []
OURS = [case for case in CASES if case.constraint in MEANINGS]


@cache
def denies(case: Case) -> bool:
    return violates(case, BUNDLE)


@pytest.mark.parametrize("case", OURS, ids=lambda case: case.name)
def test_agrees(case: Case) -> None:
    """Harm: a policy that people know from elsewhere says another thing here under its name."""
    assert denies(case) is case.violated


def test_agreement_is_both_ways() -> None:
    """Harm: everything agrees, since nothing is ever denied."""
    assert {case.violated for case in OURS} == {True, False}
    assert len(OURS) > 50


def test_every_sample_is_judged_or_refused_with_a_reason() -> None:
    """Harm: a manifest that other tools read stops the check, or is left out in silence."""
    report = check_path(LIBRARY, BUNDLE)
    files = {file.relative_to(LIBRARY).as_posix() for file in LIBRARY.rglob("*.yaml")}
    told = {item.file for item in report.items} | {refused.file for refused in report.refused}
    assert files == told
    assert all(refused.reason for refused in report.refused)
    assert not [i for i in report.items if any(r.id.startswith("policy.") for r in i.rules)]


def test_every_policy_has_its_meaning_or_a_reason() -> None:
    """Harm: a policy of the library is passed over because nobody looked at it."""
    assert {case.constraint for case in CASES} <= {*MEANINGS, *NOT_OURS}
    assert not set(MEANINGS) & set(NOT_OURS)


def test_the_page_says_what_is_computed() -> None:
    """Harm: the page claims an agreement that is no longer there."""
    page = (ROOT / "docs" / "policy-agreement.md").read_text()
    (shown,) = re.findall(r"(?m)^\| policy of the library.*\n(?:\|.*\n)+", page)
    assert shown == table(CASES, denies)


def test_parameters_that_no_limit_can_say_are_told() -> None:
    """Harm: a constraint with two ranges is compared with one of them."""
    two = [{"min_replicas": 1, "max_replicas": 2}, {"min_replicas": 5, "max_replicas": 9}]
    with pytest.raises(NotComparableError, match="several ranges"):
        MEANINGS["K8sReplicaLimits"].limits({"ranges": two}, [])
    with pytest.raises(NotComparableError, match="no quantity"):
        MEANINGS["K8sContainerLimits"].limits({"cpu": "much"}, [])
