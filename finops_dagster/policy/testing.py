"""The bundle's own tests: Rego tests with coverage, and samples both ways.

Used by the project's tests, by lint, and by whoever writes rules. No judging of real things.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Decision, Rung, Verdict
from finops_dagster.policy.bundle import VERDICT, RegoBundle
from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.engine import EngineError, compiled, evaluated
from finops_dagster.policy.functions import functions_of
from finops_dagster.policy.inputs import manifest_input, mapping
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.policy.metadata import package_of

_TEST = re.compile(r"^(test_\w+)\b", re.MULTILINE)
_EMITTED = re.compile(r"\"id\":\s*\"([^\"]+)\"")
_FOLDERS: dict[str, Decision | Rung] = {
    "allowed": Decision.ALLOW,
    "needs_approval": Decision.NEEDS_APPROVAL,
    "denied": Decision.DENY,
    **{rung.value: rung for rung in Rung},
}
_SAMPLE_LIMITS = "limits.yaml"
_REFUSED = "data.finops.lib.limits.refused"


@dataclass(frozen=True)
class RegoTest:
    """One test rule; `detail` says why it did not pass."""

    file: str
    name: str
    passed: bool
    detail: str = ""


@dataclass(frozen=True)
class FileCoverage:
    """Lines of one policy that the tests evaluated, and those they did not, 1-based."""

    file: str
    covered: tuple[int, ...]
    missed: tuple[int, ...]


@dataclass(frozen=True)
class RegoTestReport:
    """Every test and what the tests covered."""

    tests: tuple[RegoTest, ...]
    coverage: tuple[FileCoverage, ...]

    @property
    def passed(self) -> bool:
        """All passed, and there was at least one."""
        return bool(self.tests) and all(test.passed for test in self.tests)


def run_rego_tests(bundle: RegoBundle) -> RegoTestReport:
    """Evaluate every `test_…` rule of the bundle's `*_test.rego` files with its own data.

    A test passes where it is true, fails where it is false or undefined, and tells the engine's
    error where there is one. Raises EngineError where the tests do not compile.
    """
    engine = compiled((*bundle.policies, *bundle.tests), json.dumps(bundle.data))
    # Some faults of a source show only when anything is evaluated: once here, not in every test.
    evaluated(engine, VERDICT)
    engine.set_enable_coverage(True)
    tests = []
    for source in bundle.tests:
        for name in dict.fromkeys(_TEST.findall(source.text)):
            detail = ""
            try:
                value = evaluated(engine, f"data.{package_of(source.text)}.{name}")
            except EngineError as error:
                value, detail = False, str(error)
            passed = value is True
            tests.append(
                RegoTest(source.name, name, passed, "" if passed else detail or "not true")
            )
    policies = {source.name for source in bundle.policies}
    coverage = [
        FileCoverage(entry["path"], tuple(entry["covered"]), tuple(entry["not_covered"]))
        for entry in json.loads(engine.get_coverage_report_as_json())["files"]
        if entry["path"] in policies
    ]
    return RegoTestReport(tests=tuple(tests), coverage=tuple(coverage))


@dataclass(frozen=True)
class Sample:
    """An example beside a rule: what judges are asked, and what they have to answer."""

    subject: str
    expected: Decision | Rung
    documents: tuple[dict[str, Any], ...]
    """Input documents; several where the file declares several functions."""


def check_samples(bundle: RegoBundle) -> list[str]:
    """What is wrong with the samples of the bundle's rules; empty where nothing is.

    Beside a rule, `samples/allowed`, `samples/needs_approval`, `samples/denied` and those named
    after a rung (`samples/advise`) hold manifests or whole input documents as YAML. An allowed one
    has to be allowed by the whole bundle; the others have to get their verdict, and that very rule
    has to speak. Each rule has samples both ways. Where the defaults hold nothing back,
    `samples/limits.yaml` (topic -> limits) says by what its samples are judged.
    """
    faults = []
    for folder in rule_folders(bundle):
        try:
            samples = read_samples(bundle, folder)
        except UnreadableError as error:
            faults.append(f"{folder}: {error}")
            continue
        faults += judge_samples(bundle, folder, samples)
        expected = {sample.expected for sample in samples}
        if Decision.ALLOW not in expected or len(expected) < 2:
            faults.append(f"{folder}: has no samples both ways")
    return faults


def rule_folders(bundle: RegoBundle) -> list[str]:
    """Folders that hold a rule, TOPIC/RULE, sorted."""
    folders = {Path(rule.file).parent for rule in bundle.rules.values()}
    return sorted(folder.as_posix() for folder in folders - {Path()})


def read_samples(bundle: RegoBundle, folder: str) -> tuple[Sample, ...]:
    """The samples of the rule in `folder`. Raises UnreadableError with the file."""
    samples = []
    for name, expected in _FOLDERS.items():
        for file in sorted((bundle.root / folder / "samples" / name).glob("*.yaml")):
            try:
                documents = read_documents(file)
            except UnreadableError as error:
                raise UnreadableError(f"{file.name}: {error}") from error
            for document in documents:
                subject = f"{file.relative_to(bundle.root).as_posix()}#{document.index}"
                asked = tuple(_asked(document.content, subject))
                samples.append(Sample(subject, expected, asked))
    return tuple(samples)


def judge_samples(bundle: RegoBundle, folder: str, samples: Sequence[Sample]) -> list[str]:
    """What `bundle` says of the samples of the rule in `folder` that it should not."""
    own = {id_ for id_, rule in bundle.rules.items() if Path(rule.file).parent == Path(folder)}
    limits = bundle.root / folder / "samples" / _SAMPLE_LIMITS
    judge = RegorusJudge(_with_limits(bundle, limits))
    return [
        fault
        for sample in samples
        for document in sample.documents
        if (fault := _fault(judge.judge_document(document, sample.subject), sample.expected, own))
    ]


def _asked(content: Any, subject: str) -> Iterator[dict[str, Any]]:
    if isinstance(content, dict) and "resource" in content and "context" in content:
        yield content
    else:
        for manifest in functions_of(content) or [content]:
            yield manifest_input(manifest, subject)


def _with_limits(bundle: RegoBundle, file: Path) -> RegoBundle:
    """The bundle with other defaults for the samples beside `file`, where there is one."""
    if not file.exists():
        return bundle
    data = json.loads(json.dumps(bundle.data))
    (document,) = read_documents(file)
    for topic, limits in document.content.items():
        data["limits"][topic]["defaults"] |= limits
    return bundle.with_data(data)


def _fault(verdict: Verdict, expected: Decision | Rung, own: set[str]) -> str:
    """Why the verdict is not the expected one, by one of the `own` rules; empty where it is."""
    spoke = [f"{rule.id}: {rule.actual}" for rule in verdict.rules]
    got = verdict.decision if isinstance(expected, Decision) else verdict.rung
    if got is not expected:
        return f"{verdict.subject}: {got}, not {expected} ({spoke})"
    by_own = any(
        rule.id in own and (isinstance(expected, Rung) or rule.decision is expected)
        for rule in verdict.rules
    )
    if expected is not Decision.ALLOW and not by_own:
        return f"{verdict.subject}: {expected}, but not by this rule ({spoke})"
    return ""


def check_metadata(bundle: RegoBundle) -> list[str]:
    """Rule packages without METADATA, and ids that are emitted but not described."""
    faults = []
    described = {rule.package for rule in bundle.rules.values()}
    for source in bundle.policies:
        package = package_of(source.text)
        if package.startswith("finops.rules.") and package not in described:
            faults.append(f"{source.name}: no rule with METADATA")
        faults += [
            f"{source.name}: {id_} has no METADATA"
            for id_ in sorted(set(_EMITTED.findall(source.text)) - set(bundle.rules))
        ]
    return faults


def check_domains(bundle: RegoBundle) -> list[str]:
    """What domains claim and may not, in the words of the denial that their teams would get."""
    engine = bundle.engine()
    faults: set[str] = set()
    for domain in mapping(bundle.data.get("domains")).values():
        teams = mapping(domain).get("teams")
        for team in teams if isinstance(teams, list) else [""]:
            for environment in ("", *mapping(mapping(domain).get("environments"))):
                refused = engine.evaluate(
                    _REFUSED,
                    {
                        "environment": environment,
                        "resource": {"labels": {}, "manifest": {}},
                        "context": {"team": team},
                    },
                )
                faults.update(text for texts in refused.values() for text in texts)
    return sorted(faults)


def lint_bundle(bundle: RegoBundle) -> list[str]:
    """Everything that is wrong with a bundle: tests, lines no test reaches, samples, METADATA,
    claims of domains."""
    report = run_rego_tests(bundle)
    faults = [
        f"{test.file}: {test.name}: {test.detail}" for test in report.tests if not test.passed
    ]
    if not report.tests:
        faults.append("no test")
    faults += [
        f"{entry.file}: no test reaches line {', '.join(map(str, entry.missed))}"
        for entry in report.coverage
        if entry.missed
    ]
    return faults + check_samples(bundle) + check_metadata(bundle) + check_domains(bundle)
