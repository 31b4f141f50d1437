"""A bundle of policies read from disk: Rego sources, their tests, their limits, one content hash.

Nothing is judged here.
"""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.policy.engine import EngineError, RegoEngine, Source
from finops_dagster.policy.metadata import RuleMetadata, package_of, read_metadata

VERDICT = "data.finops.verdict"
"""The rule that a bundle answers with."""
_DATA_FILES = ("data.yaml", "data.yml", "data.json")
_SAMPLES = "samples"


@dataclass(frozen=True)
class RegoBundle:
    """Policies and limits as one thing with an identity. Laid out as OPA reads a bundle."""

    root: Path
    id: str
    """Content hash over the policies and data files, names and bytes; tests do not count."""
    policies: tuple[Source, ...] = field(repr=False)
    tests: tuple[Source, ...] = field(repr=False)
    data: Mapping[str, Any] = field(repr=False)
    rules: Mapping[str, RuleMetadata] = field(repr=False)
    """By METADATA id."""

    @classmethod
    def load(cls, path: Path) -> RegoBundle:
        """Read the bundle at `path`, a folder or the tarball that `finops policy export` writes.

        `*.rego` are policies, `*_test.rego` their tests; `data.yaml` and `data.json` hold data at
        the path of their folder; `samples` folders are left alone. Links are not followed. Raises
        SettingsError, with the file, for anything that does not read, parse or compile,
        and for a bundle without data.finops.verdict.
        """
        root = Path(path)
        if root.is_file() and tarfile.is_tarfile(root):
            with tempfile.TemporaryDirectory() as folder:
                _unpack(root, Path(folder))
                return replace(cls.load(Path(folder)), root=root)
        if not root.is_dir():
            raise _broken(str(path), "is no folder", "Name the folder that holds the Rego files.")
        policies: list[Source] = []
        tests: list[Source] = []
        data: dict[str, Any] = {}
        digest = hashlib.sha256()
        for file in bundle_files(root):
            name = file.relative_to(root).as_posix()
            content = _read(file, name)
            if file.name.endswith("_test.rego"):
                tests.append(Source(name, _text(content, name)))
                continue
            digest.update(f"{len(name)}:{name}:{len(content)}:".encode())
            digest.update(content)
            if file.suffix == ".rego":
                policies.append(Source(name, _text(content, name)))
            else:
                merge_data(
                    data, file.relative_to(root).parent.parts, read_data(content, name), name
                )
        if not policies:
            raise _broken(str(path), "holds no .rego file", "Name the folder of the bundle.")
        bundle = cls(
            root=root,
            id=f"bundle-{digest.hexdigest()[:16]}",
            policies=tuple(policies),
            tests=tuple(tests),
            data=data,
            rules=_rules(policies),
        )
        try:
            if not any(_answers(source) for source in policies):
                raise EngineError(f"it has no rule {VERDICT}")
            # Some faults of a source show only when anything is evaluated.
            bundle.engine().evaluate(VERDICT, {})
        except EngineError as error:
            raise _broken(str(path), f"does not compile: {error}", "Mend the Rego.") from error
        return bundle

    def engine(self) -> RegoEngine:
        """The policies and data, compiled. Raises EngineError."""
        return RegoEngine(self.policies, self.data)

    def with_data(self, data: Mapping[str, Any]) -> RegoBundle:
        """The bundle with other limits, under an id of its own: for replays and trials."""
        text = json.dumps(data, sort_keys=True, allow_nan=False)
        digest = hashlib.sha256(f"{self.id}:{text}".encode()).hexdigest()
        return RegoBundle(
            root=self.root,
            id=f"bundle-{digest[:16]}",
            policies=self.policies,
            tests=self.tests,
            data=data,
            rules=self.rules,
        )


def _unpack(tarball: Path, folder: Path) -> None:
    try:
        with tarfile.open(tarball) as tar:
            tar.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as error:
        raise _broken(tarball.name, f"cannot be unpacked: {error}", "Export it anew.") from error


def _answers(source: Source) -> bool:
    package, _, rule = VERDICT.removeprefix("data.").rpartition(".")
    named = re.search(rf"^(default\s+)?{rule}\b", source.text, re.MULTILINE)
    return named is not None and package_of(source.text) == package


def bundle_files(root: Path) -> list[Path]:
    """Policies, tests and data files under `root`, as OPA finds them; links are not followed."""
    found = []
    for file in root.rglob("*"):
        parts = file.relative_to(root).parts
        if _SAMPLES in parts[:-1] or any(part.startswith(".") for part in parts):
            continue
        wanted = file.suffix == ".rego" or file.name in _DATA_FILES
        linked = file.is_symlink() or any(
            (root / Path(*parts[:depth])).is_symlink() for depth in range(1, len(parts))
        )
        if wanted and file.is_file() and not linked:
            found.append(file)
    return sorted(found, key=lambda file: file.relative_to(root).as_posix())


def _read(file: Path, name: str) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise _broken(name, f"cannot be read: {error.strerror}", "Check its rights.") from error


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _broken(name, "is not UTF-8 text", "Save it as UTF-8.") from error


def read_data(content: bytes, name: str) -> dict[str, Any]:
    """The mapping that a file of YAML or JSON holds. Raises SettingsError."""
    try:
        value = YAML(typ="safe", pure=True).load(_text(content, name))
        json.dumps(value, allow_nan=False)
    except (YAMLError, TypeError, ValueError, RecursionError) as error:
        raise _broken(name, f"is not plain data: {error}", "Mend the file.") from error
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _broken(name, "is not a mapping with text keys", "Write one mapping.")
    return value


def merge_data(
    into: dict[str, Any], parts: tuple[str, ...], value: dict[str, Any], name: str
) -> None:
    """Put `value` into data at the path of its folder. Raises SettingsError for a key twice."""
    for part in parts:
        into = into.setdefault(part, {})
    for key, item in value.items():
        if key in into:
            raise _broken(name, f"says {key} a second time", "Say each thing in one file.")
        into[key] = item


def _rules(policies: list[Source]) -> dict[str, RuleMetadata]:
    rules: dict[str, RuleMetadata] = {}
    for source in policies:
        if not package_of(source.text):
            raise _broken(source.name, "declares no package", "Begin it with a package.")
        try:
            described = read_metadata(source.name, source.text)
        except ValueError as error:
            raise _broken(source.name, str(error), "Mend the annotation.") from error
        for rule in described:
            if rule.id in rules:
                raise _broken(
                    source.name, f"repeats the rule id {rule.id}", f"See {rules[rule.id].file}."
                )
            rules[rule.id] = rule
    return rules


def _broken(file: str, what: str, hint: str) -> SettingsError:
    fault = Fault(code="policy_bundle", file=file, expected=f"A policy bundle; {what}.", hint=hint)
    return SettingsError(f"policy bundle: {file} {what}", (fault,))
