"""SARIF: the parts that code hosts need, and no text that breaks out of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.check import check_path
from finops_dagster.policy.foreign import load_foreign
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


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    """An object of SARIF: it has these properties, and no other."""
    return {
        "type": "object",
        "required": required,
        "properties": properties,
        "additionalProperties": False,
    }


TEXT = {"type": "string", "minLength": 1}
MESSAGE = _object(["text"], text=TEXT)
LOCATION = _object(
    ["physicalLocation"],
    physicalLocation=_object(
        ["artifactLocation"],
        artifactLocation=_object(["uri"], uri={"type": "string", "format": "uri-reference"}),
        region=_object(["startLine"], startLine={"type": "integer", "minimum": 1}),
    ),
)
LEVEL = {"enum": ["none", "note", "warning", "error"]}
SARIF = _object(
    ["version", "runs"],
    **{"$schema": TEXT},
    version={"const": "2.1.0"},
    runs={
        "type": "array",
        "items": _object(
            ["tool", "results"],
            tool=_object(
                ["driver"],
                driver=_object(
                    ["name"],
                    name=TEXT,
                    version=TEXT,
                    rules={
                        "type": "array",
                        "uniqueItems": True,
                        "items": _object(
                            ["id"],
                            id=TEXT,
                            shortDescription=MESSAGE,
                            fullDescription=MESSAGE,
                            help=MESSAGE,
                        ),
                    },
                ),
            ),
            invocations={
                "type": "array",
                "items": _object(
                    ["executionSuccessful"],
                    executionSuccessful={"type": "boolean"},
                    toolExecutionNotifications={
                        "type": "array",
                        "items": _object(
                            ["message"],
                            level=LEVEL,
                            message=MESSAGE,
                            locations={"type": "array", "items": LOCATION},
                        ),
                    },
                ),
            },
            properties={"type": "object"},
            columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
            results={
                "type": "array",
                "items": _object(
                    ["message", "ruleId", "level", "locations"],
                    ruleId=TEXT,
                    ruleIndex={"type": "integer", "minimum": 0},
                    level=LEVEL,
                    message=MESSAGE,
                    locations={"type": "array", "minItems": 1, "items": LOCATION},
                    partialFingerprints={
                        "type": "object",
                        "additionalProperties": {"type": "string"},
                    },
                ),
            },
        ),
    },
)
"""What SARIF 2.1.0 (sections 3.13 to 3.58) has of the parts that are written here."""


def test_it_is_sarif(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: code scanning refuses the whole upload for one property that is not there."""
    (tmp_path / "pods.yaml").write_text(POD)
    (tmp_path / "bad.yaml").write_text("a: [")
    theirs = tmp_path / "theirs.rego"
    theirs.write_text('package theirs\ndeny["with <b>markup</b>"] { input.kind }')
    foreign = [load_foreign(theirs)]
    report = check_path(tmp_path, bundle, foreign=foreign)
    document = sarif(report, bundle.rules, "1.2.3", "a folder")
    jsonschema.Draft202012Validator(SARIF).validate(document)
    uris = {
        one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for one in document["runs"][0]["results"]
    }
    assert uris == {"a%20folder/pods.yaml"}
    empty = sarif(check_path(theirs, bundle), bundle.rules, "1")
    jsonschema.Draft202012Validator(SARIF).validate(empty)
