"""The bundle's own tests: Rego tests with coverage, and samples both ways.

Used by the project's tests, by lint, and by whoever writes rules. No judging of real things.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from finops_dagster.domain.decisions import Decision, Rung
from finops_dagster.policy.bundle import VERDICT, RegoBundle
from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.engine import EngineError, compiled, evaluated
from finops_dagster.policy.functions import functions_of
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.policy.metadata import package_of

_TEST = re.compile(r"^(test_\w+)\b", re.MULTILINE)
_EMITTED = re.compile(r"\"id\":\s*\"([^\"]+)\"")
_ALLOWED = "allowed"
_FOLDERS: dict[str, Decision | Rung] = {
    _ALLOWED: Decision.ALLOW,
    "needs_approval": Decision.NEEDS_APPROVAL,
    "denied": Decision.DENY,
    **{rung.value: rung for rung in Rung},
}
_SAMPLE_LIMITS = "limits.yaml"


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


def check_samples(bundle: RegoBundle) -> list[str]:
    """What is wrong with the samples of the bundle's rules; empty where nothing is.

    Beside a rule, `samples/allowed`, `samples/needs_approval`, `samples/denied` and those named
    after a rung (`samples/advise`) hold manifests or whole input documents as YAML. An allowed one
    has to be allowed by the whole bundle; the others have to get their verdict, and that very rule
    has to speak. Each rule has samples both ways. Where the defaults hold nothing back,
    `samples/limits.yaml` (topic -> limits) says by what its samples are judged.
    """
    faults = []
    for folder in sorted({Path(rule.file).parent for rule in bundle.rules.values()}):
        own = {rule.id for rule in bundle.rules.values() if Path(rule.file).parent == folder}
        if folder == Path():
            continue
        samples = bundle.root / folder / "samples"
        judge = RegorusJudge(_with_limits(bundle, samples / _SAMPLE_LIMITS))
        seen: set[str] = set()
        for name, expected in _FOLDERS.items():
            for file in sorted((samples / name).glob("*.yaml")):
                seen.add(name)
                faults += _sample(judge, file, expected, own)
        if _ALLOWED not in seen or len(seen) < 2:
            faults.append(f"{folder.as_posix()}: has no samples both ways")
    return faults


def _with_limits(bundle: RegoBundle, file: Path) -> RegoBundle:
    """The bundle with other defaults for the samples beside `file`, where there is one."""
    if not file.exists():
        return bundle
    data = json.loads(json.dumps(bundle.data))
    (document,) = read_documents(file)
    for topic, limits in document.content.items():
        data["limits"][topic]["defaults"] |= limits
    return bundle.with_data(data)


def _sample(
    judge: RegorusJudge, file: Path, expected: Decision | Rung, own: set[str]
) -> list[str]:
    name = file.relative_to(judge.policies.root).as_posix()
    try:
        documents = read_documents(file)
    except UnreadableError as error:
        return [f"{name}: {error}"]
    faults = []
    for document in documents:
        subject = f"{name}#{document.index}"
        content = document.content
        if isinstance(content, dict) and "resource" in content and "context" in content:
            verdicts = [judge.judge_document(content, subject)]
        else:
            manifests = functions_of(content) or [content]
            verdicts = [judge.judge_manifest(manifest, subject) for manifest in manifests]
        for verdict in verdicts:
            spoke = [f"{rule.id}: {rule.actual}" for rule in verdict.rules]
            got = verdict.decision if isinstance(expected, Decision) else verdict.rung
            by_own = any(
                rule.id in own and (isinstance(expected, Rung) or rule.decision is expected)
                for rule in verdict.rules
            )
            if got is not expected:
                faults.append(f"{subject}: {got}, not {expected} ({spoke})")
            elif expected is not Decision.ALLOW and not by_own:
                faults.append(f"{subject}: {expected}, but not by this rule ({spoke})")
    return faults


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


def lint_bundle(bundle: RegoBundle) -> list[str]:
    """Everything that is wrong with a bundle: tests, lines no test reaches, samples, METADATA."""
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
    return faults + check_samples(bundle) + check_metadata(bundle)
