"""A manifest that is added as a file: exactly that resource begins, and nothing else differs."""

from __future__ import annotations

import pytest

from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.domain.decisions import Abstained, ChangeSet, Edit, FindingKind, Proposal
from finops_dagster.domain.money import NO_MONEY
from finops_dagster.gitops.changes import plan_change_set, refusal_together
from finops_dagster.gitops.rendering import render_body, render_title
from finops_dagster.gitops.wanted import Shown, Wanted
from tests.builders import deployment, proposal, verdict

OTHER = """apiVersion: finops.io/v1
kind: ModelCard
metadata: {name: other, namespace: ml}
spec: {owner: ml}
"""
FILES = {"apps/web.yaml": deployment("web"), "models/other.yaml": OTHER.encode()}
CARD = (
    "# to fill in\napiVersion: finops.io/v1\nkind: ModelCard\nmetadata:\n  name: \"llm\"\n"
    "  namespace: \"sandbox\"\n  labels: {team: \"ml\"}\nspec:\n  owner: \"ml @everyone <!-- x\"\n"
)  # fmt: skip


def asked(**changes: object) -> Proposal:
    return proposal(
        **{
            "kind": FindingKind.SHADOW_AI, "resource": "ModelCard/sandbox/llm", "field": "",
            "current": "", "proposed": "", "document": CARD, "saving_per_month": NO_MONEY,
            **changes,
        }
    )  # fmt: skip


def index(**more: bytes) -> RepositoryIndex:
    return index_files({**FILES, **{k.replace("__", "/") + ".yaml": v for k, v in more.items()}})


def planned(of: Proposal | None = None, state: RepositoryIndex | None = None, **more: str) -> (
    ChangeSet | Abstained
):  # fmt: skip
    given = {"additions": "models", **more}
    return plan_change_set(of or asked(), state or index(), ["models/**"], **given)


def test_one_new_file() -> None:
    """Harm: the card lands somewhere else, or overwrites what is there."""
    change = planned()
    assert isinstance(change, ChangeSet)
    assert change.edits == (
        Edit(file="models/llm.yaml", start_byte=0, end_byte=0, before="", after=CARD, creates=True),
    )
    taken = planned(state=index(models__llm=b"apiVersion: v1\nkind: ConfigMap\n"
                                b"metadata: {name: llm}\n"))  # fmt: skip
    assert isinstance(taken, ChangeSet)
    assert taken.edits[0].file == "models/sandbox-llm.yaml"


def test_once() -> None:
    """Harm: after the merge the same card is asked for again, under another name."""
    refused = planned(state=index(models__llm=CARD.encode()))
    assert refused == Abstained(subject="ModelCard/sandbox/llm", reason="it is declared already")


@pytest.mark.parametrize(
    ("changes", "more", "reason"),
    [
        ({}, {"additions": ""}, "the settings name no folder for it"),
        ({}, {"additions": "apps"}, "apps/llm.yaml is not among the paths settings allow"),
        ({}, {"additions": "models/../.github"}, "is not among the paths settings allow"),
        ({"resource": "ModelCard/sandbox/../x"}, {}, "its name cannot be a file's"),
        ({"resource": "ModelCard/sandbox/other-one"}, {}, "would not declare it, and it alone"),
        ({"document": CARD + "---\n" + CARD.replace("llm", "more")}, {}, "no YAML of one document"),
        ({"document": "a: [1"}, {}, "no YAML of one document"),
        ({"document": CARD + f"  text: {'x' * 20_000}\n"}, {}, "is longer than 20,000 bytes"),
    ],
)
def test_what_cannot_be_proven_is_not_added(
    changes: dict[str, str], more: dict[str, str], reason: str
) -> None:
    """Harm: a name or a text of others adds a second resource, or a file that runs in CI."""
    refused = planned(asked(**changes), **more)
    assert isinstance(refused, Abstained)
    assert reason in refused.reason


def test_told_to_people() -> None:
    """Harm: a reviewer does not see what is added, or is called upon by its text."""
    of = asked()
    change = planned(of)
    assert isinstance(change, ChangeSet)
    item = Wanted(of, verdict(of), change)
    assert refusal_together([item], index()) == ""
    assert render_title([item]) == "Register ModelCard sandbox/llm (saves no money)"
    body = render_body([item], Shown())
    assert "New file `models/llm.yaml`:\n\n```text\n# to fill in\n" in body
    assert '\n  owner: "ml @everyone <! -- x"\n' in body
    assert "Nothing that runs is changed." in body
    assert "XXX" not in body
    assert "finops desired-state set" not in body
