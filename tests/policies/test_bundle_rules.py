"""The shipped rules: their Rego tests, coverage, samples, METADATA, and that each limit counts."""

from __future__ import annotations

import copy
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
from finops_dagster.policy.engine import Source
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


def _negated() -> Iterator[Any]:
    """Each comparison and each `not` in a rule, turned around, one at a time."""
    opposite = {" > ": " <= ", " <= ": " > ", " < ": " >= ", " >= ": " < ", " == ": " != "}
    for source in BUNDLE.policies:
        if not source.name.endswith("/rule.rego"):
            continue
        lines = source.text.splitlines(keepends=True)
        for number, line in enumerate(lines):
            if line.lstrip().startswith("#"):
                continue
            mutants = [line.replace(a, b, 1) for a, b in opposite.items() if a in line]
            if re.match(r"\s+not ", line):
                mutants.append(line.replace("not ", "", 1))
            for mutant in mutants:
                text = "".join([*lines[:number], mutant, *lines[number + 1 :]])
                yield pytest.param(
                    source.name, text, id=f"{source.name}:{number + 1}:{mutant.strip()}"
                )


@pytest.mark.parametrize(("name", "text"), list(_negated()))
def test_negation_of_any_condition_is_noticed(name: str, text: str) -> None:
    """Harm: a condition is turned around by mistake and every test still passes."""
    mutant = RegoBundle(
        root=BUNDLE.root,
        id="mutant",
        policies=tuple(Source(s.name, text if s.name == name else s.text) for s in BUNDLE.policies),
        tests=BUNDLE.tests,
        data=BUNDLE.data,
        rules=BUNDLE.rules,
    )
    failed = [test for test in run_rego_tests(mutant).tests if not test.passed]
    assert failed or check_samples(mutant)


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


@pytest.mark.parametrize(
    ("topic", "key", "value"),
    [
        ("labels", "kinds", {"Deployment": ["colour"]}),
        ("labels", "decision", "needs_approval"),
        ("spend", "near_share", 0.99),
        ("gpu", "expensive", ["never"]),
        ("gpu", "decision", "needs_approval"),
        ("serverless", "max_memory_mib", 4096),
        ("headroom", "cpu_min_share", 0.9),
        ("headroom", "memory_min_share", 0.0),
        ("blast_radius", "max_cut_share", 0.1),
        ("blast_radius", "critical_values", []),
    ],
)
def test_each_limit_counts(topic: str, key: str, value: Any) -> None:
    """Harm: a limit is changed in the data and no verdict changes, since nothing reads it."""
    data = copy.deepcopy(json.loads(json.dumps(BUNDLE.data)))
    assert data["limits"][topic]["defaults"][key] != value
    data["limits"][topic]["defaults"][key] = value
    assert check_samples(BUNDLE.with_data(data))
