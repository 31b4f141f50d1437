"""What others build in: the hook of pre-commit and the reusable workflow."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from finops_dagster.cli.policy import FailOn
from tests.unit.cli.test_policy_check import BAD, GOOD, git
from tests.unit.docs.test_docs import parse_finops

ROOT = Path(__file__).parents[3]
WORKFLOW = ROOT / ".github" / "workflows" / "policy-check.yml"
HOOK = """\
#!{python}
# Runs a hook as pre-commit does: its entry, with the staged files that its patterns name.
import os, re, subprocess, sys
changed = subprocess.run(
    ["git", "diff", "--staged", "--name-only", "-z", "--diff-filter=ACMRTUXB"],
    capture_output=True, text=True, check=True,
).stdout.split("\\0")
files = [f for f in changed if f and re.search({files!r}, f) and not re.search({exclude!r}, f)]
sys.exit(subprocess.call([*{entry!r}, *files]) if files else 0)
"""


def hook() -> dict[str, Any]:
    (found,) = YAML(typ="safe").load(ROOT / ".pre-commit-hooks.yaml")
    return dict(found)


def test_the_hook_is_what_pre_commit_reads() -> None:
    """Harm: pre-commit refuses the repository, or runs a command that is not there."""
    given = hook()
    assert given["id"] == "finops-policy-check"
    assert (given["language"], given["pass_filenames"]) == ("python", True)
    words = shlex.split(given["entry"])
    assert words[0] == "finops"
    parse_finops([*words[1:], "a.yaml", "b.yaml"])
    for file in ("a.yaml", "x/b.YML", "c.json", "d.tf", "e.tofu", "sam/template.yaml"):
        assert re.search(given["files"], file) and not re.search(given["exclude"], file), file
    for file in ("a.md", "tf", ".github/workflows/ci.yml", ".pre-commit-config.yaml"):
        wanted = re.search(given["files"], file) and not re.search(given["exclude"], file)
        assert not wanted, file


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository whose commits run the hook."""
    given = hook()
    git(tmp_path, "init", "-q", "-b", "main")
    hooks = tmp_path / ".hooks"
    hooks.mkdir()
    script = hooks / "pre-commit"
    script.write_text(
        HOOK.format(
            python=sys.executable,
            files=given["files"],
            exclude=given["exclude"],
            entry=shlex.split(given["entry"]),
        )
    )
    script.chmod(0o755)
    git(tmp_path, "config", "core.hooksPath", str(hooks))
    return tmp_path


def commit(repository: Path, name: str, text: str) -> subprocess.CompletedProcess[str]:
    (repository / name).write_text(text)
    git(repository, "add", name)
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    tools = str(Path(sys.executable).parent)
    return subprocess.run(
        ["git", *identity, "commit", "-q", "-m", name],
        cwd=repository,
        capture_output=True,
        text=True,
        env=os.environ | {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"},
    )


def test_a_violating_commit_is_refused(repository: Path) -> None:
    """Harm: the hook is installed, and what policy denies is committed all the same."""
    good = commit(repository, "good.yaml", GOOD)
    assert good.returncode == 0, good.stderr
    bad = commit(repository, "bad.yaml", BAD)
    assert bad.returncode == 1
    assert "compute.gpu_budget" in bad.stdout + bad.stderr
    log = subprocess.run(
        ["git", "log", "--format=%s"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert log.stdout.split() == ["good.yaml"]


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    # `on` is a key, not the boolean that YAML 1.1 makes of it.
    return dict(YAML(typ="safe").load(WORKFLOW))


def test_the_workflow_is_reusable(workflow: dict[str, Any]) -> None:
    """Harm: another repository cannot call it, or an input that docs name is not there."""
    inputs = workflow["on"]["workflow_call"]["inputs"]
    assert {"path", "bundle", "beside", "fail-on"} <= set(inputs)
    assert all("default" in one and one["description"] for one in inputs.values())
    assert inputs["fail-on"]["default"] in {one.value for one in FailOn}


def test_the_workflow_may_do_little(workflow: dict[str, Any]) -> None:
    """Harm: a check of somebody's pull request can write to the repository."""
    assert workflow["permissions"] == {}
    (job,) = workflow["jobs"].values()
    assert job["permissions"] == {"contents": "read", "security-events": "write"}
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
        if "checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


def test_no_input_becomes_a_command(workflow: dict[str, Any]) -> None:
    """Harm: a path or a branch name with a quote in it runs as a shell command."""
    (job,) = workflow["jobs"].values()
    for step in job["steps"]:
        assert "${{" not in step.get("run", "")
    assert set(job["env"].values()) >= {"${{ inputs.path }}", "${{ inputs.bundle }}"}


def test_the_workflow_runs(workflow: dict[str, Any], tmp_path: Path) -> None:
    """Harm: the shell of the workflow fails where nobody here ever ran it."""
    (job,) = workflow["jobs"].values()
    (judge,) = [step for step in job["steps"] if step.get("id") == "judge"]
    repository = tmp_path / "repository"
    (repository / "my apps").mkdir(parents=True)
    (repository / "my apps" / "bad.yaml").write_text(BAD)
    (repository / "$(touch pwned).yaml").write_text(GOOD)
    tools = tmp_path / "tool" / ".venv" / "bin"
    tools.mkdir(parents=True)
    (tools / "finops").symlink_to(Path(sys.executable).parent / "finops")

    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", judge["run"]],
        cwd=repository,
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "GITHUB_WORKSPACE": str(tmp_path),
            "RUNNER_TEMP": str(tmp_path),
            "GITHUB_OUTPUT": str(tmp_path / "output"),
            "CHECK_PATHS": "my apps\n$(touch pwned).yaml\n",
            "CHECK_BUNDLE": "",
            "CHECK_BESIDE": "",
            "CHECK_FAIL_ON": "deny",
        },
    )
    assert done.returncode == 1, done.stderr
    assert "1 denied" in done.stdout
    told = (tmp_path / "policy.sarif").read_text()
    assert "my%20apps/bad.yaml" in told
    assert (tmp_path / "output").read_text() == "told=true\n"
    assert not list(tmp_path.rglob("pwned"))
