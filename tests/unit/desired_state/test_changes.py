"""What two commits declare differently in size, and who made them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from finops_dagster.demo import plan as plans
from finops_dagster.demo.repository import git, write_repository
from finops_dagster.desired_state import index_files, open_repository
from finops_dagster.desired_state.changes import Declared, changed_sizes
from finops_dagster.desired_state.history import commit_before, commits_between
from finops_dagster.domain.changes import FieldChange
from finops_dagster.domain.errors import SettingsError
from tests.builders import deployment

WEB = "apps/web.yaml"
NAME = "Deployment/shop/web"
CPU = "spec.template.spec.containers[name=server].resources.requests.cpu"


def changes(before: dict[str, bytes], after: dict[str, bytes]) -> list[Declared]:
    return list(changed_sizes(index_files(before), index_files(after)))


def test_a_size_that_changed_is_told_with_where_it_is_written() -> None:
    """Who asks why a cost moved wants the value, the file and the commit."""
    found = changes({WEB: deployment("web", cpu="2")}, {WEB: deployment("web", cpu="4")})
    cpu = FieldChange(field=CPU, before="2", after="4")
    assert found == [Declared(NAME, False, False, (cpu,), (WEB,))]


def test_what_begins_and_what_ends_is_told() -> None:
    """A new workload is the commonest reason for a new cost."""
    one, both = {WEB: deployment("web")}, {WEB: deployment("web"), "b.yaml": deployment("b")}
    assert changes(one, both) == [Declared("Deployment/shop/b", True, False, (), ("b.yaml",))]
    assert changes(both, one) == [Declared("Deployment/shop/b", False, True, (), ("b.yaml",))]


def test_what_is_no_size_is_no_reason() -> None:
    """A new image or label is merged every day: it would excuse any rise."""
    plain = deployment("web")
    image = plain.replace(b"web:1", b"web:2")
    label = plain.replace(b"team: checkout", b"team: search")
    assert image != plain != label
    assert changes({WEB: plain}, {WEB: image}) == changes({WEB: plain}, {WEB: label}) == []


@pytest.mark.parametrize(
    ("before", "after", "field"),
    [
        ('instance_type = "m5.large"', 'instance_type = "m5.4xlarge"', "instance_type"),
        ("desired_size = 2", "desired_size = 20", "desired_size"),
        ("allocated_storage = 20", "allocated_storage = 200", "allocated_storage"),
        ("memory_size = 512", "memory_size = 3008", "memory_size"),
        ("multi_az = false", "multi_az = true", "multi_az"),
        ("retention_in_days = 7", "retention_in_days = 365", "retention_in_days"),
        ("diskSizeGb = 10", "diskSizeGb = 100", "diskSizeGb"),
        ('machineType = "e2"', 'machineType = "n2"', "machineType"),
    ],
)
def test_terraform_says_sizes_in_its_own_words(before: str, after: str, field: str) -> None:
    """Most of a bill is not of Kubernetes."""
    text = 'resource "aws_thing" "it" {\n  name = "it"\n  %s\n}\n'
    files = [{"main.tf": (text % one).encode()} for one in (before, after)]
    (found,) = changes(*files)
    assert [one.field for one in found.fields] == [field]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    bare = tmp_path_factory.mktemp("demo") / "gitops.git"
    write_repository(bare, plans.build(3))
    return bare


def test_an_index_is_the_same_whatever_it_was_built_from(demo: Path) -> None:
    """Kept parts of another commit must not leak its owners or values into this one."""
    commits = git(demo, "rev-list", "--reverse", "main").decode().split()
    earlier = None
    for commit in (*commits[:4], *commits[-4:], commits[0]):
        fresh = open_repository(demo, commit)
        earlier = open_repository(demo, commit, earlier=earlier)
        assert earlier.resources() == fresh.resources()
        assert list(earlier.locations()) == list(fresh.locations())


def test_a_namespace_that_changes_hands_takes_its_workloads_along() -> None:
    """The workload's own file is the same, its owner is not."""
    text = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: %s}}\n"
    pod = b"apiVersion: v1\nkind: Pod\nmetadata: {name: p, namespace: shop}\n"
    before = index_files({"ns.yaml": (text % "pay").encode(), "pod.yaml": pod})
    assert before.resources()["Pod/shop/p"].owner == "pay"
    after = before.with_changes({"ns.yaml": (text % "search").encode()})
    assert after.resources()["Pod/shop/p"].owner == "search"


def test_commits_are_those_that_touch_the_files_in_time(demo: Path) -> None:
    """A name beside a cost accuses: it must be the right one."""
    last = datetime.fromisoformat(git(demo, "log", "-1", "--format=%cI", "main").decode().strip())
    head = git(demo, "rev-parse", "main").decode().strip()
    touched = git(demo, "show", "--format=", "--name-only", "main").decode().split()
    subject = git(demo, "log", "-1", "--format=%s", "main").decode().strip()
    hour = timedelta(hours=1)
    (found,) = commits_between(demo, "main", last - hour, last + hour, touched)
    assert (found.sha, found.on, found.subject) == (head, last.astimezone(UTC).date(), subject)
    assert commits_between(demo, "main", last - hour, last + hour, ["no/such/file"]) == []
    assert commits_between(demo, "main", last + hour, last + 2 * hour, touched) == []
    every = commits_between(demo, "main", datetime(2020, 1, 1, tzinfo=UTC), last, touched)
    assert every[-1] == found
    assert [one.on for one in every] == sorted(one.on for one in every)
    assert commit_before(demo, "main", last - hour) != head
    assert commit_before(demo, "main", datetime(2020, 1, 1, tzinfo=UTC)) is None
    with pytest.raises(SettingsError, match="no branch other"):
        commits_between(demo, "other", last - hour, last, touched)
    assert found.on > date(2020, 1, 1)
