"""Other people's Rego on disk: a file, a folder of them, Gatekeeper's templates, with their data.

What speaks in it and what it reads are found out here; asking it is in foreign.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.bundle import bundle_files, merge_data, read_data
from finops_dagster.policy.constraints import Constraint, Template, read_constraints
from finops_dagster.policy.documents import UnreadableError, read_documents
from finops_dagster.policy.engine import EngineError, RegoEngine, Source
from finops_dagster.policy.metadata import package_of
from finops_dagster.policy.older import FUNCTIONS

_MAX_BYTES = 1024 * 1024
_GATEKEEPER = (b"templates.gatekeeper.sh/", b"constraints.gatekeeper.sh/")
"""What is in the YAML files of a folder that are read; others are something else."""
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
    each ConstraintTemplate by itself. A single file has the packages that it uses from the files
    beside it, which do not speak themselves. Raises SettingsError for what does not compile, and
    where nothing denies, violates or warns.
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
    helpers = [] if path.is_dir() else list(_helpers(path, sources))
    for helper in helpers:
        digest.update(f"{helper.name}:{helper.text}".encode())
    parts = [_part(sources, data, path, helpers)] if sources else []
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
        if file.is_symlink() or not file.is_file() or file.stem == "data":
            continue
        if any(group in _bytes(file) for group in _GATEKEEPER):
            yield file, file.relative_to(path).as_posix()


def _helpers(path: Path, sources: Sequence[Source]) -> Iterator[Source]:
    """Files beside `path` that declare packages which it uses, and those that they use."""
    own = {package_of(source.text) for source in sources}
    waiting = [name for source in sources for name in _used(source.text)]
    if all(any(f"{name}.".startswith(f"{one}.") for one in own) for name in waiting):
        return
    beside: dict[Path, str] = {}
    for file in sorted({*path.parent.glob("*.rego"), *path.parent.glob("*/*.rego")} - {path}):
        if file.is_file() and not file.is_symlink() and not file.name.endswith("_test.rego"):
            beside[file] = _text(file, _bytes(file))
    while waiting:
        name = waiting.pop()
        for file, text in list(beside.items()):
            package = package_of(text)
            met = f"{name}.".startswith(f"{package}.") or f"{package}.".startswith(f"{name}.")
            if met and package not in own:
                del beside[file]
                waiting += _used(text)
                yield Source(file.relative_to(path.parent).as_posix(), text)


def _used(text: str) -> list[str]:
    """What a source refers to under data, without `data.`."""
    plain = _COMMENT.sub(lambda found: found[1] or "", text)
    return [found.removeprefix(".") for found in _REFERENCE.findall(plain)]


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


def _part(
    sources: Sequence[Source],
    data: Mapping[str, Any],
    path: Path,
    helpers: Sequence[Source] = (),
) -> Part:
    read = [_versioned(source, path) for source in (*sources, *helpers)]
    speaking = {package for _, package in read[: len(sources)]}
    engine = _compiled([source for source, _ in read], data, path)
    packages: dict[str, str] = {}
    for source, package in read:
        text = packages.get(package, "")
        packages[package] = text + _COMMENT.sub(lambda found: found[1] or "", source.text) + "\n"
    speakers = [
        speaker
        for package, text in sorted(packages.items())
        if package in speaking
        for speaker in _speakers(package, text, _shape(package, packages))
    ]
    for speaker in speakers:
        _try(engine, speaker, path)
    return Part(engine, tuple(speakers))


def _template_part(template: Template, path: Path) -> Part:
    part = _part(template.sources, {}, path)
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


def _compiled(sources: Sequence[Source], data: Mapping[str, Any], path: Path) -> RegoEngine:
    try:
        return RegoEngine(sources, data, FUNCTIONS)
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
