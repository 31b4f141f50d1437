"""`finops policy check` and `export` as scripts meet them: envelope, exit codes, every path."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from finops_dagster.cli import app

GOOD = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: a, labels: {team: t, environment: dev, cost-center: c}}
spec: {replicas: 2}
"""
BAD = """\
# why
apiVersion: v1
kind: Pod
metadata: {name: train, labels: {team: t, environment: prod, cost-center: c}}
spec: {nodeSelector: {accelerator: nvidia-h100}}
"""
TERRAFORM = """\
variable "tags" {}

provider "aws" {
  default_tags {
    tags = { team = "a", cost-center = "c" }
  }
}

resource "aws_lambda_function" "large" {
  memory_size = 3008
  tags        = { environment = "prod" }
}

resource "aws_lambda_function" "open" {
  memory_size = 128
  tags        = merge(var.tags, { environment = "prod" })
}
"""
SAM = """\
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Tags: {team: a, env: dev, cost-center: c}}}
Resources:
  Table: {Type: 'AWS::DynamoDB::Table'}
  Large:
    Type: 'AWS::Serverless::Function'
    Properties: {MemorySize: 3008}
"""
THEIRS = """\
package theirs
deny[msg] {
  input.spec.replicas < input.parameters.least
  msg := "too few"
}
deny[msg] {
  input.spec.replicas < 2
  msg := "alone"
}
"""


@pytest.fixture
def estate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one good and one bad manifest, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FINOPS_CONFIG", raising=False)
    (tmp_path / "apps").mkdir()
    (tmp_path / "apps" / "good.yaml").write_text(GOOD)
    (tmp_path / "apps" / "bad.yaml").write_text(BAD)
    return tmp_path


def finops(*words: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, ["policy", *(str(word) for word in words)], input=stdin)


def answer(*words: str | Path, stdin: str | None = None) -> tuple[int, dict[str, Any]]:
    result = finops("check", *words, "--json", stdin=stdin)
    return result.exit_code, json.loads(result.stdout)


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", *identity, "-C", str(folder), *words], check=True, capture_output=True)


def test_the_envelope(estate: Path) -> None:
    """Harm: scripts that read the promised fields find others."""
    code, document = answer("apps")
    assert code == 1
    assert document["schema"] == "finops.policy_check/1"
    bad, good = document["items"]
    assert {"file", "document", "resource", "verdict", "rules"} <= set(bad)
    assert (bad["file"], bad["document"], bad["line"], bad["resource"], bad["verdict"]) == (
        "bad.yaml", 0, 2, "Pod//train", "deny",
    )  # fmt: skip
    assert {"id", "title", "actual", "limit", "fix"} <= set(bad["rules"][0])
    assert (good["verdict"], good["rules"]) == ("allow", [])
    assert document["refused"] == []
    assert document["bundle"].startswith("bundle-")
    assert answer("apps/good.yaml")[0] == 0


def test_several_paths_and_standard_input(estate: Path) -> None:
    """Harm: pre-commit gives many files, and only the first is checked, or two share a name."""
    (estate / "other").mkdir()
    (estate / "other" / "good.yaml").write_text(GOOD)
    code, document = answer("apps/good.yaml", "other", "apps/good.yaml")
    assert (code, [item["file"] for item in document["items"]]) == (
        0, ["apps/good.yaml", "other/good.yaml"],
    )  # fmt: skip
    code, document = answer("-", stdin=f"{GOOD}---\n{BAD}")
    assert code == 1
    assert [(i["file"], i["document"], i["verdict"]) for i in document["items"]] == [
        ("-", 0, "allow"), ("-", 1, "deny"),
    ]  # fmt: skip


def test_a_bare_repository(estate: Path) -> None:
    """Harm: the repository that the GitOps loop works on is said to hold nothing."""
    git(estate, "init", "-q", "-b", "main")
    git(estate, "add", ".")
    git(estate, "commit", "-q", "-m", "first")
    subprocess.run(
        ["git", "clone", "-q", "--bare", str(estate), str(estate / "bare.git")], check=True
    )
    code, document = answer("bare.git")
    assert code == 1
    assert [item["file"] for item in document["items"]] == ["apps/bad.yaml", "apps/good.yaml"]


def test_a_path_that_is_not_there(estate: Path) -> None:
    """Harm: a mistyped path is a check that found nothing wrong."""
    code, document = answer("apps", "nowhere")
    assert code == 2
    assert "nowhere" in document["errors"][0]["file"]
    assert finops("check", "apps", "--format", "xml").exit_code == 2
    assert finops("check").exit_code == 2


@pytest.mark.parametrize(
    ("fail_on", "deny", "approve", "allow"),
    [("deny", 1, 0, 0), ("needs_approval", 1, 1, 0), ("never", 0, 0, 0)],
)
def test_what_fails(estate: Path, fail_on: str, deny: int, approve: int, allow: int) -> None:
    """Harm: a team that wants to be warned is stopped, or the other way round."""
    unlabelled = GOOD.replace(", cost-center: c", "")
    for text, expected in ((BAD, deny), (unlabelled, approve), (GOOD, allow)):
        Path("one.yaml").write_text(text)
        assert finops("check", "one.yaml", "--fail-on", fail_on).exit_code == expected


def test_people_see_what_to_do_and_a_count(estate: Path) -> None:
    """Harm: a person reads a wall of columns and does not know what to mend."""
    (estate / "apps" / "values.yaml").write_text("replicas: 3\n")
    shown = " ".join(finops("check", "apps").stdout.split())
    assert "bad.yaml:2: denied: Pod//train" in shown
    assert "compute.gpu_budget" in shown
    assert "Have the budget approved" in shown
    assert shown.endswith("1 denied, 0 need approval, 1 allowed, 1 refused")


def test_text_of_manifests_is_no_markup(estate: Path) -> None:
    """Harm: a name in a manifest colours or hides what the terminal shows."""
    Path("one.yaml").write_text(BAD.replace("name: train", 'name: "[red]x\\u001b[31m"'))
    shown = finops("check", "one.yaml").stdout
    assert "[red]x" in shown
    assert "\x1b[31m" not in shown


def test_terraform_and_templates(estate: Path) -> None:
    """Harm: what most of the money is declared in is passed over."""
    (estate / "infra").mkdir()
    (estate / "infra" / "main.tf").write_text(TERRAFORM)
    (estate / "infra" / "template.yaml").write_text(SAM)
    code, document = answer("infra")
    assert code == 1
    assert document["refused"] == []
    found = {i["resource"]: (i["line"], i["verdict"], i["unknown"]) for i in document["items"]}
    assert found == {
        "aws_lambda_function//large": (9, "deny", []),
        "aws_lambda_function//open": (14, "needs_approval", ['tags["(var.tags)"]']),
        "AWS::DynamoDB::Table//Table": (4, "allow", []),
        "AWS::Serverless::Function//Large": (5, "deny", []),
    }
    rules = {rule["id"] for item in document["items"] for rule in item["rules"]}
    assert rules == {"serverless.memory", "policy.unknown"}


def test_one_file_of_a_module(estate: Path) -> None:
    """Harm: a hook that is given one file does not know the variables of the file beside it."""
    git(estate, "init", "-q")
    (estate / "infra").mkdir()
    (estate / "infra" / "main.tf").write_text(
        'resource "aws_lambda_function" "f" {\n  memory_size = var.memory\n  tags = local.tags\n}\n'
    )
    (estate / "infra" / "variables.tf").write_text(
        'variable "memory" { default = 3008 }\n'
        'locals { tags = { team = "a", environment = "prod", cost-center = "c" } }\n'
    )
    code, document = answer("infra/main.tf")
    (item,) = document["items"]
    assert (code, item["file"]) == (1, "main.tf")
    assert [rule["id"] for rule in item["rules"]] == ["serverless.memory"]
    assert answer("infra/variables.tf")[1]["items"] == []


def test_one_file_of_an_overlay(estate: Path) -> None:
    """Harm: a commit of a base is refused for labels that every overlay adds."""
    git(estate, "init", "-q")
    (estate / "apps" / "base.yaml").write_text(GOOD.replace(", cost-center: c", ""))
    (estate / "overlay").mkdir()
    (estate / "overlay" / "kustomization.yaml").write_text(
        "resources: [../apps/base.yaml]\ncommonLabels: {cost-center: c}\n"
    )
    code, document = answer("apps/base.yaml", "apps/good.yaml")
    assert (code, [item["rules"] for item in document["items"]]) == (0, [[], []])


def test_other_peoples_policy(estate: Path) -> None:
    """Harm: a policy that is given beside is not asked, or asked without its parameters."""
    theirs = estate / "theirs.rego"
    theirs.write_text(THEIRS)
    code, document = answer("apps/good.yaml", "--beside", theirs)
    assert code == 0
    Path("alone.yaml").write_text(GOOD.replace("replicas: 2", "replicas: 1"))
    code, document = answer("alone.yaml", "--beside", theirs)
    assert code == 1
    (rule,) = document["items"][0]["rules"]
    assert (rule["id"], rule["title"], rule["limit"]) == ("theirs.deny", "alone", "theirs.rego")
    assert document["bundle"] != answer("alone.yaml")[1]["bundle"]
    theirs.write_text("package theirs\ndeny[msg] {")
    code, document = answer("alone.yaml", "--beside", theirs)
    assert (code, document["errors"][0]["code"]) == (2, "foreign_policy")
    assert finops("check", "alone.yaml", "--parameters", theirs).exit_code == 2


def test_settings_beside(estate: Path) -> None:
    """Harm: the command line lets through what the loop of the same estate denies."""
    (estate / "theirs.rego").write_text(THEIRS)
    (estate / "bill.csv").write_text("BilledCost\n")
    (estate / "finops.yaml").write_text(
        "estate: acme\nbilling: [{name: cloud, path: bill.csv}]\n"
        "telemetry: [{name: t, path: bill.csv}]\npolicy: {beside: [{path: theirs.rego}]}\n"
    )
    Path("alone.yaml").write_text(GOOD.replace("replicas: 2", "replicas: 1"))
    assert answer("alone.yaml")[0] == 1
    assert answer("alone.yaml", "--bundle", Path(__file__).parents[3] / "policies")[0] == 1


def test_sarif_names_files_from_the_current_folder(estate: Path) -> None:
    """Harm: a code host shows the violation at no file, since the path starts elsewhere."""
    for paths in (["apps"], ["apps/bad.yaml"], ["apps/good.yaml", "apps/bad.yaml"], ["."]):
        result = finops("check", *paths, "--format", "sarif")
        assert result.exit_code == 1
        (one,) = json.loads(result.stdout)["runs"][0]["results"]
        place = one["locations"][0]["physicalLocation"]
        assert place["artifactLocation"]["uri"] == "apps/bad.yaml"
        assert place["region"]["startLine"] == 2


def test_export(estate: Path) -> None:
    """Harm: the export of a script ends in a folder that nobody asked for, or says nothing."""
    result = finops("export", "--format", "opa-bundle", "out", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["items"] == [{"file": "bundle.tar.gz"}]
    assert finops("export", "--format", "opa-bundle", "apps").exit_code == 2
    assert finops("export", "--format", "opa-bundle", "apps", "--force").exit_code == 0
    assert finops("export", "--format", "gatekeeper", "gk").exit_code == 0
    (estate / "gk2").mkdir()
    assert finops("export", "--format", "gatekeeper", "gk2").exit_code == 0
    files = sorted(one.relative_to("gk") for one in Path("gk").rglob("*.yaml"))
    assert files == sorted(one.relative_to("gk2") for one in Path("gk2").rglob("*.yaml"))
    assert finops("check", "apps/bad.yaml", "--beside", "gk").exit_code == 1
