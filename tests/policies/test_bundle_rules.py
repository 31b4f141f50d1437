"""The shipped rules: their Rego tests, coverage, samples, METADATA."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from finops_dagster.policy.__main__ import main
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.documents import read_documents
from finops_dagster.policy.functions import functions_of
from finops_dagster.policy.inputs import manifest_input
from finops_dagster.policy.testing import (
    check_metadata,
    check_samples,
    run_rego_tests,
)

POLICIES = Path(__file__).parents[2] / "policies"
BUNDLE = RegoBundle.load(POLICIES)
REPORT = run_rego_tests(BUNDLE)


@pytest.mark.parametrize("test", REPORT.tests, ids=lambda test: f"{test.file}:{test.name}")
def test_rego(test: Any) -> None:
    """Harm: a rule says something else than its tests promise."""
    assert test.passed, test.detail


def test_every_line_of_every_rule_is_reached() -> None:
    """Harm: a part of a rule that nobody has ever seen evaluated decides about money."""
    assert {entry.file: entry.missed for entry in REPORT.coverage if entry.missed} == {}
    assert {entry.file for entry in REPORT.coverage} == {s.name for s in BUNDLE.policies}


def test_samples() -> None:
    """Harm: the examples that people copy are judged otherwise than their folder says."""
    assert check_samples(BUNDLE) == []


def test_metadata() -> None:
    """Harm: a pull request shows a verdict whose rule has no title and no way out."""
    assert check_metadata(BUNDLE) == []


def test_lint_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Harm: lint is green because it looked at nothing."""
    assert main([str(POLICIES)]) == 0
    assert re.search(r"\d\d+ rules, \d\d+ tests, 0 faults", capsys.readouterr().out)


SCHEMA = json.loads((POLICIES / "schema" / "input.json").read_text())


def _inputs() -> Iterator[Any]:
    for file in sorted(POLICIES.glob("*/*/samples/*/*.yaml")):
        for document in read_documents(file):
            content = document.content
            if "context" not in content:
                content = manifest_input((functions_of(content) or [content])[0], file.name)
            yield pytest.param(content, id=file.relative_to(POLICIES).as_posix())
    readme = (POLICIES / "README.md").read_text()
    (example,) = re.findall(r"(?m)^    \{\n(?:    .*\n)+?    \}$", readme)
    yield pytest.param(json.loads(example), id="README.md")


@pytest.mark.parametrize("document", list(_inputs()))
def test_inputs_are_as_described(document: dict[str, Any]) -> None:
    """Harm: rule writers are told of a document that rules are never given."""
    jsonschema.validate(document, SCHEMA)


def test_the_schema_refuses() -> None:
    """Harm: the schema describes anything, and so nothing."""
    good = manifest_input({"kind": "Pod"}, "a#0")
    jsonschema.validate(good, SCHEMA)
    for key in ("resource", "environment", "context"):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({k: v for k, v in good.items() if k != key}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(good | {"context": {"spend": {"team_forecast": "1e3"}}}, SCHEMA)


def test_readme_names_every_rule() -> None:
    """Harm: a rule denies that no page tells of, or a page tells of a rule that is gone."""
    readme = (POLICIES / "README.md").read_text()
    topics = "|".join(sorted({id_.split(".")[0] for id_ in BUNDLE.rules}))
    named = set(re.findall(rf"`((?:{topics})\.[a-z_]+)`", readme))
    assert named == set(BUNDLE.rules)
