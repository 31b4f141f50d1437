"""One value set in a folder: one line of one file, or nothing at all."""

from __future__ import annotations

import shutil
import stat
from pathlib import Path

import pytest

from finops_dagster.desired_state import RepositoryIndex, open_directory
from finops_dagster.domain.errors import Stopped
from finops_dagster.gitops.working_tree import set_value
from tests.builders import CPU, MEMORY, deployment

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"


def folder(tmp_path: Path) -> Path:
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "web.yaml").write_bytes(deployment("web"))
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path


def test_one_line_changes_and_the_diff_says_so(tmp_path: Path) -> None:
    """Harm: a file is reformatted, or something else is written beside it."""
    root = folder(tmp_path)
    (root / "apps" / "web.yaml").chmod(0o640)
    before = sorted(path.name for path in root.rglob("*"))
    diff = set_value(root, "Deployment/web", CPU, "750m", open_index=open_directory)
    assert (root / "apps" / "web.yaml").read_bytes() == deployment("web", cpu="750m")
    assert sorted(path.name for path in root.rglob("*")) == before
    assert stat.S_IMODE((root / "apps" / "web.yaml").stat().st_mode) == 0o640
    lines = diff.splitlines()
    assert lines[:2] == ["--- a/apps/web.yaml", "+++ b/apps/web.yaml"]
    assert [line for line in lines[2:] if line[0] in "+-"] == [
        "-            cpu: 2    # measured once",
        "+            cpu: 750m    # measured once",
    ]


def test_dry_run_writes_nothing(tmp_path: Path) -> None:
    """Harm: --dry-run does it."""
    root = folder(tmp_path)
    diff = set_value(root, "Deployment/web", MEMORY, "1Gi", open_index=open_directory, dry_run=True)
    assert "+            memory: 1Gi" in diff
    assert (root / "apps" / "web.yaml").read_bytes() == deployment("web")


@pytest.mark.parametrize(
    ("resource", "field", "value", "code"),
    [
        ("Deployment/nobody", CPU, "1", "not_declared"),
        ("Deployment/web", "spec.nothing", "1", "not_declared"),
        ("Deployment/web", "metadata.name", "x", "not_editable"),
        ("Deployment/web", CPU, "2", "unchanged"),
        ("Deployment/web", "spec.replicas", "many", "kind"),
    ],
)
def test_refusals_leave_the_folder_alone(
    tmp_path: Path, resource: str, field: str, value: str, code: str
) -> None:
    """Harm: half an edit, and no word why."""
    root = folder(tmp_path)
    with pytest.raises(Stopped) as raised:
        set_value(root, resource, field, value, open_index=open_directory)
    assert raised.value.faults[0].code == code
    assert (root / "apps" / "web.yaml").read_bytes() == deployment("web")


def test_a_file_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """Harm: what an editor saved between reading and writing is lost."""
    root = folder(tmp_path)
    path = root / "apps" / "web.yaml"

    def slow(where: Path) -> RepositoryIndex:
        index = open_directory(where)
        path.write_bytes(deployment("web", memory="9Gi"))
        return index

    with pytest.raises(Stopped):
        set_value(root, "Deployment/web", CPU, "1", open_index=slow)
    assert path.read_bytes() == deployment("web", memory="9Gi")


def test_a_folder_that_is_a_link_outside_is_not_written(tmp_path: Path) -> None:
    """Harm: an edit leaves the repository through a link."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "web.yaml").write_bytes(deployment("web"))
    root = tmp_path / "repo"
    root.mkdir()
    (root / "apps").symlink_to(outside)
    with pytest.raises(Stopped):
        set_value(root, "Deployment/web", CPU, "1", open_index=open_directory)
    assert (outside / "web.yaml").read_bytes() == deployment("web")


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not on this machine")
def test_ten_values_of_a_real_repository(tmp_path: Path) -> None:
    """Harm: it works on our own samples only."""
    root = tmp_path / "demo"
    shutil.copytree(SHARED / "gitops" / "microservices_demo", root)
    container = "spec.template.spec.containers[name=server]"
    for number, (service, field, value) in enumerate(
        [
            ("adservice", f"{container}.resources.requests.cpu", "150m"),
            ("adservice", "/spec/template/spec/containers/0/resources/limits/memory", "256Mi"),
            ("cartservice", f"{container}.resources.requests.memory", "96Mi"),
            ("checkoutservice", "spec.template.spec.containers[0].resources.limits.cpu", "1"),
            ("currencyservice", f"{container}.resources.requests.cpu", "80m"),
            ("emailservice", f"{container}.env[name=PORT].value", "9090"),
            ("frontend", f"{container}.readinessProbe.initialDelaySeconds", "15"),
            ("paymentservice", f"{container}.securityContext.privileged", "true"),
            ("recommendationservice", "spec.template.spec.terminationGracePeriodSeconds", "9"),
            ("shippingservice", f"{container}.resources.limits.memory", "100Mi"),
        ]
    ):
        before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
        resource = ("Deployment", "default", service) if number % 2 else ("Deployment", service)
        set_value(root, "/".join(resource), field, value, open_index=open_directory)
        changed = [path for path, data in before.items() if path.read_bytes() != data]
        assert len(changed) == 1
        old, new = before[changed[0]].split(b"\n"), changed[0].read_bytes().split(b"\n")
        assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
