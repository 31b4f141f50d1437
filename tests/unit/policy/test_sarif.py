"""SARIF: the parts that code hosts need, and no text that breaks out of them."""

from __future__ import annotations

import json
from pathlib import Path

from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.check import check_path
from finops_dagster.policy.sarif import sarif

POD = """\
---
apiVersion: v1
kind: Pod
metadata: {name: "a <b>", labels: {team: t, environment: dev, cost-center: c}}
spec: {nodeSelector: {accelerator: nvidia-h100}}
---
apiVersion: v1
kind: Job
metadata: {name: approved, labels: {team: t, environment: dev}}
"""


def test_results(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a code host shows violations at the wrong line, or drops the file as invalid."""
    folder = tmp_path / "a folder"
    folder.mkdir()
    (folder / "pod#1.yaml").write_text(POD)
    (folder / "bad.yaml").write_text("a: [")
    report = check_path(tmp_path, bundle)
    document = sarif(report, bundle.rules, "1.2.3")
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    gpu, labels = run["results"]
    assert (gpu["ruleId"], gpu["level"]) == ("compute.gpu_budget", "error")
    assert (labels["ruleId"], labels["level"]) == ("labels.required", "warning")
    for result in (gpu, labels):
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["message"]["text"]
    place = gpu["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20folder/pod%231.yaml"
    assert place["region"]["startLine"] == 2
    (notification,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "not YAML" in notification["message"]["text"]
    assert gpu["partialFingerprints"] != labels["partialFingerprints"]
    assert json.loads(json.dumps(document)) == document


def test_favourable_rules_are_no_results(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: an approved budget shows as a violation."""
    approved = POD.replace("cost-center: c}", 'cost-center: c, finops.io/budget-approved: "true"}')
    (tmp_path / "pod.yaml").write_text(approved.split("---\n")[1])
    report = check_path(tmp_path, bundle)
    assert [rule.id for item in report.items for rule in item.rules] == [
        "compute.gpu_budget_approved"
    ]
    assert sarif(report, bundle.rules, "1")["runs"][0]["results"] == []
