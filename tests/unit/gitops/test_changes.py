"""From proposals to change sets: allowed paths, safe branch names, reasons for refusing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.desired_state import index_files
from finops_dagster.domain.decisions import Abstained, ChangeSet, Edit
from finops_dagster.gitops.changes import (
    branch_of_group,
    branch_of_value,
    combined,
    is_allowed,
    is_branch_of_ours,
    plan_change_set,
    refusal_together,
)
from finops_dagster.gitops.edits import apply_edits
from finops_dagster.gitops.wanted import Wanted
from tests.builders import MEMORY, deployment, proposal, verdict

INDEX = index_files({"apps/web.yaml": deployment("web")}, "c" * 40)


def test_a_change_set_holds_the_exact_bytes() -> None:
    """Harm: what is written is not what was decided."""
    change = plan_change_set(proposal(), INDEX, ["apps/*.yaml"])
    assert isinstance(change, ChangeSet)
    start = deployment("web").index(b"cpu: 2") + 5
    assert change.edits == (
        Edit(file="apps/web.yaml", start_byte=start, end_byte=start + 1, before="2", after="500m"),
    )
    assert (change.base_sha, change.key) == ("c" * 40, proposal().key)


def test_the_fingerprint_is_of_the_change_not_of_its_place() -> None:
    """Harm: a comment above the value makes yesterday's rejected change look new."""
    moved = index_files({"apps/web.yaml": b"# more\n" + deployment("web")}, "d" * 40)
    one, two = (plan_change_set(proposal(), index, ["**"]) for index in (INDEX, moved))
    assert isinstance(one, ChangeSet)
    assert isinstance(two, ChangeSet)
    assert one != two
    assert one.fingerprint == two.fingerprint


@pytest.mark.parametrize(
    ("changes", "globs", "reason"),
    [
        ({"field": ""}, ["**"], "no edit is known"),
        ({"proposed": ""}, ["**"], "no edit is known"),
        ({"resource": "Deployment/shop/other"}, ["**"], "nothing that can be read declares"),
        ({"field": "spec.nothing"}, ["**"], "nothing that can be read declares"),
        ({"current": "3"}, ["**"], "says '2' now"),
        ({"field": "metadata.name", "current": "web"}, ["**"], "names the resource"),
        ({"proposed": "a lot"}, ["**"], "not a Kubernetes quantity"),
        ({"proposed": "2"}, ["**"], "already reads"),
        ({}, [], "not among the paths"),
        ({}, ["other/**"], "not among the paths"),
    ],
)
def test_refusals_are_values_with_a_reason(
    changes: dict[str, str], globs: list[str], reason: str
) -> None:
    """Harm: a proposal disappears in silence, or a guess is written."""
    refused = plan_change_set(proposal(**changes), INDEX, globs)
    assert isinstance(refused, Abstained)
    assert reason in refused.reason
    assert refused.subject.startswith(changes.get("resource", "Deployment/shop/web"))


@pytest.mark.parametrize(
    ("path", "glob", "allowed"),
    [
        ("apps/web.yaml", "apps/**", True),
        ("apps/a/b/web.yaml", "apps/**/*.yaml", True),
        ("apps/web.yaml", "apps/**/*.yaml", True),
        ("apps/a/web.yaml", "apps/*.yaml", False),
        ("web.yaml", "**", True),
        ("web.yaml", "./web.yaml", True),
        ("webXyaml", "web.yaml", False),
        ("apps/web.yaml.evil", "apps/*.yaml", False),
        ("apps/../policies/x.rego", "apps/**", False),
        ("../x.yaml", "**", False),
        ("/etc/passwd", "**", False),
        ("apps\\..\\x.yaml", "**", False),
        ("apps//x.yaml", "**", False),
        (".git/config", "**", False),
        ("a/.git/config", "**", False),
        (".github/workflows/ci.yaml", "**", False),
        (".GitHub/workflows/ci.yaml", "**", False),
        (".github/CODEOWNERS", "**", False),
        (".gitlab-ci.yml", "**", False),
        ("a/.tekton/build.yaml", "**", False),
        ("azure-pipelines.yml", "**", False),
        (".gitmodules", "**", False),
        ("policies/limits/data.yaml", "**", False),
        ("lib/limits.rego", "**", False),
        ("apps/policies-of-others.yaml", "**", True),
        ("apps/.gitkeep.yaml", "**", True),
        ("apps/web.yaml\n", "apps/*.yaml", False),
        ("apps/(x).yaml", "apps/(x).yaml", True),
    ],
)
def test_allowed_paths(path: str, glob: str, allowed: bool) -> None:
    """Harm: an edit outside of what its owner allowed."""
    assert is_allowed(path, [glob]) is allowed


TEXT = st.text(max_size=80)


@given(TEXT, TEXT, TEXT, TEXT)
def test_branch_names_are_safe_and_of_what_is_written(
    file: str, resource: str, field: str, other: str
) -> None:
    """Harm: a workload's name breaks out of a reference, or two values share a branch."""
    name = branch_of_value(file, resource, field)
    assert name.startswith("finops/")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-/")
    assert "--" not in name.removeprefix("finops/")
    assert len(name) < 100
    assert is_branch_of_ours(name)
    same = other == field
    assert (branch_of_value(file, resource, other) == name) is same
    group = branch_of_group(file, f"key-{'0' * 16}-12")
    assert group.endswith(f"-{'0' * 16}-12")
    assert is_branch_of_ours(group)


def test_other_branches_are_nobodys() -> None:
    """Harm: a person's branch is taken for one of ours and closed."""
    for name in ("main", "finops/mine", "feature/x-0123456789abcdef", f"finops/x-{'g' * 16}"):
        assert not is_branch_of_ours(name)


def planned(**changes: str) -> Wanted:
    of = proposal(**changes)
    change = plan_change_set(of, INDEX, ["**"])
    assert isinstance(change, ChangeSet)
    return Wanted(of, verdict(of), change)


def test_several_edits_of_one_file_are_made_together() -> None:
    """Harm: the second edit of a file is written where the first has moved the bytes."""
    items = [planned(), planned(field=MEMORY, current="4Gi", proposed="512Mi"), planned()]
    whole = combined("key-x", [one.changes for one in items])
    assert [edit.after for edit in whole.edits] == ["500m", "512Mi"]
    text = apply_edits(deployment("web"), whole.edits)
    assert text == deployment("web", "500m", "512Mi")
    assert refusal_together(items, INDEX) == ""


def test_what_does_not_go_together_is_told() -> None:
    """Harm: a group is opened that writes something else than its members were proven to."""
    two = [planned(), planned(proposed="700m")]
    assert "is not what the change was made for" in refusal_together(two, INDEX)
    old = index_files({"apps/web.yaml": deployment("web")}, "d" * 40)
    assert "another commit" in refusal_together([planned()], old)
    wrong = planned()
    (edit,) = wrong.changes.edits
    byte = deployment("web").index(b"replicas:   3") + 12
    other = edit.model_copy(
        update={"start_byte": byte, "end_byte": byte + 1, "before": "3", "after": "1"}
    )
    changes = wrong.changes.model_copy(update={"edits": (other,)})
    assert "would not read '500m'" in refusal_together([wrong._replace(changes=changes)], INDEX)
