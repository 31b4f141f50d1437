"""Other people's Rego on disk: a file, a folder of them, Gatekeeper's templates, with their data.

What speaks in it and what it reads are found out here; asking it is in foreign.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.bundle import bundle_files, merge_data, read_data
from finops_dagster.policy.constraints import Constraint, Template, read_constraints
from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.engine import EngineError, RegoEngine, Source

_MAX_BYTES = 1024 * 1024
_SPEAKING = re.compile(r"^(?:default\s+)?((deny|violation|warn)(?:_(\w+))?)(?=[\s\[{:=]|$)", re.M)
_EXCEPTING = re.compile(r"^exception(?=[\s\[{:=]|$)", re.M)
_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*"|`[^`]*`)|#[^\n]*')
_REFERENCE = re.compile(r"\bdata((?:\.\w+)+)")
_READS = re.compile(
    r'\binput\s*(?:\.\s*|\[\s*")(\w+)|\bobject\.get\(\s*input\s*,\s*\[?\s*"(\w+)"', re.M
)
_SHAPES = ("review", "request")
"""First those that a policy is given before others, where what it imports reads several."""
_DECISIONS = {
    "deny": Decision.DENY,
    "violation": Decision.DENY,
    "warn": Decision.NEEDS_APPROVAL,
}
_UNUSABLE = re.compile(r"\bunsafe\b|could not find function|cyclic evaluation")
"""Faults of the policy itself, which show only when it is asked; others are of what it is given."""


@dataclass(frozen=True)
class Speaker:
    """One rule that denies or warns."""

    rule: str
    """Full path, data.…"""
    id: str
    decision: Decision
    suffix: str
    """What is behind deny_, violation_ or warn_: what an exception names."""
    exception: str
    """Rule of its package that excepts (conftest.dev/exceptions); empty where there is none."""
    shape: str
    """request, review or manifest: what it is given."""
    constraint: Constraint | None = None
    """Whom Gatekeeper would ask it about, with which parameters."""


@dataclass(frozen=True)
class Part:
    """Sources that are compiled together, and what speaks in them."""

    engine: RegoEngine
    speakers: tuple[Speaker, ...]


def read_parts(path: Path) -> tuple[list[Part], str]:
    """What `path`, a file or a folder, holds, and a hash of the content.

    Each file is read as Rego v1 and, where it does not parse as that, as the Rego before it (v0).
    The Rego files of a folder are compiled together, without their tests and with its data files;
    each ConstraintTemplate by itself. Raises SettingsError for what does not compile, and where
    nothing denies, violates or warns.
    """
    sources: list[Source] = []
    data: dict[str, Any] = {}
    documents: list[Any] = []
    digest = hashlib.sha256()
    for file, name in _files(path):
        content = _bytes(file)
        digest.update(f"{len(name)}:{name}:{len(content)}:".encode())
        digest.update(content)
        if file.suffix == ".rego":
            sources.append(Source(name, _text(file, content)))
        elif file.stem == "data":
            merge_data(data, Path(name).parent.parts, read_data(content, name), name)
        else:
            documents += _documents(file)
    parts = [_part(sources, data, path)] if sources else []
    parts += [_template_part(one, path) for one in read_constraints(documents)]
    if not any(part.speakers for part in parts):
        raise broken(path, "has no deny, violation or warn rule", "Only these speak.")
    return parts, digest.hexdigest()


def broken(path: Path, what: str, hint: str) -> SettingsError:
    """The error of a policy that cannot be used; `what` follows its name."""
    fault = Fault(
        code="foreign_policy", file=path.name, expected=f"A Rego policy; it {what}.", hint=hint
    )
    return SettingsError(f"policy {path.name} {what}", (fault,))


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    if not path.is_dir():
        yield path, path.name
        return
    for file in bundle_files(path):
        if not file.name.endswith("_test.rego"):
            yield file, file.relative_to(path).as_posix()
    for file in sorted(path.rglob("*.y*ml")):
        if file.is_file() and not file.is_symlink() and file.stem != "data":
            yield file, file.relative_to(path).as_posix()


def _bytes(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise broken(file, "cannot be read as text", "Check the path.") from error
    if len(content) > _MAX_BYTES:
        raise broken(file, f"is larger than {_MAX_BYTES} bytes", "Split it.")
    return content


def _text(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise broken(file, "cannot be read as text", "Save it as UTF-8.") from error


def _documents(file: Path) -> list[Any]:
    try:
        return [document.content for document in read_documents(file)]
    except UnreadableError as error:
        raise broken(file, f"cannot be read: {error}", "Mend it.") from error


def _part(sources: list[Source], data: Mapping[str, Any], path: Path) -> Part:
    read = [_versioned(source, path) for source in sources]
    engine = _compiled([source for source, _ in read], data, path)
    packages: dict[str, str] = {}
    for source, package in read:
        text = packages.get(package, "")
        packages[package] = text + _COMMENT.sub(lambda found: found[1] or "", source.text) + "\n"
    speakers = [
        speaker
        for package, text in sorted(packages.items())
        for speaker in _speakers(package, text, _shape(package, packages))
    ]
    for speaker in speakers:
        _try(engine, speaker, path)
    return Part(engine, tuple(speakers))


def _template_part(template: Template, path: Path) -> Part:
    part = _part(list(template.sources), {}, path)
    ours = [one for one in part.speakers if one.id.endswith("violation")]
    return Part(
        part.engine,
        tuple(
            Speaker(
                rule=one.rule,
                id=f"{template.kind}.{constraint.name}" if constraint else template.kind,
                decision=constraint.decision if constraint else one.decision,
                suffix="",
                exception="",
                shape="review",
                constraint=constraint,
            )
            for one in ours
            for constraint in template.constraints or (None,)
        ),
    )


def _versioned(source: Source, path: Path) -> tuple[Source, str]:
    """`source` with the version it parses as, and its package as `data.…`."""
    faults = []
    for version in (1, 0):
        tried = Source(source.name, source.text, version)
        try:
            (package,) = RegoEngine([tried]).packages()
        except (EngineError, ValueError) as error:
            faults.append(str(error))
        else:
            return tried, package
    modern, older = faults
    named = path.with_name(Path(source.name).name)
    raise broken(named, f"is Rego neither as v1 ({modern}) nor as v0 ({older})", "Mend the Rego.")


def _compiled(sources: list[Source], data: Mapping[str, Any], path: Path) -> RegoEngine:
    try:
        return RegoEngine(sources, data)
    except EngineError as error:
        raise broken(path, f"does not compile: {error}", "Mend the Rego.") from error


def _try(engine: RegoEngine, speaker: Speaker, path: Path) -> None:
    try:
        engine.evaluate(speaker.rule, {})
    except EngineError as error:
        if _UNUSABLE.search(str(error)):
            raise broken(path, f"does not compile: {error}", "Mend the Rego.") from error


def _speakers(package: str, text: str, shape: str) -> Iterator[Speaker]:
    exception = f"{package}.exception" if _EXCEPTING.search(text) else ""
    named = {found.groups() for found in _SPEAKING.finditer(text)}
    for name, word, suffix in sorted(named, key=str):
        yield Speaker(
            rule=f"{package}.{name}",
            id=f"{package.removeprefix('data.')}.{name}",
            decision=_DECISIONS[word],
            suffix=suffix or "",
            exception=exception,
            shape=shape,
        )


def _shape(package: str, packages: Mapping[str, str]) -> str:
    """What the rules of `package` read, those of the packages they use included."""
    seen: set[str] = set()
    waiting = [package]
    read: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        text = packages[name]
        read |= {plain or got for plain, got in _READS.findall(text)}
        used = {f"data{found}." for found in _REFERENCE.findall(text)}
        waiting += [
            other
            for other in packages
            if any(f"{other}.".startswith(one) or one.startswith(f"{other}.") for one in used)
        ]
    return next((shape for shape in _SHAPES if shape in read), "manifest")
