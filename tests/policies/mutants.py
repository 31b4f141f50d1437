"""Small faults put into the bundle one at a time, and whether its tests or samples notice.

Faults are made by text and by data; what is equivalent by reasoning is listed in test_mutations.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.engine import EngineError, Source, compiled, evaluated
from finops_dagster.policy.metadata import package_of
from finops_dagster.policy.testing import Sample, judge_samples, read_samples

POLICIES = Path(__file__).parents[2] / "policies"
BUNDLE = RegoBundle.load(POLICIES)

_TURNED = {
    " > ": (" <= ", " >= "),
    " >= ": (" < ", " > "),
    " < ": (" >= ", " <= "),
    " <= ": (" > ", " < "),
    " == ": (" != ",),
    " != ": (" == ",),
}
_BARE = re.compile(r"\t[a-z_]+(\.[a-z_]+|\[[a-z_.]+\])*(\(.*\))?\n")
"""A condition of one line that is a name, a place in a mapping or a call."""
_LIMITS = re.compile(r"limits\.of\(\"(\w+)\"\)|data\.limits\.(\w+)")
_TESTS = re.compile(r"^(test_\w+)\b", re.MULTILINE)
_WORDS = {
    "deny": "needs_approval",
    "needs_approval": "deny",
    "allow": "deny",
    "encrypted": "unencrypted",
    "unencrypted": "encrypted",
    "observe": "automerge",
    "advise": "automerge",
    "propose": "automerge",
    "automerge": "observe",
}
"""What decides, and what decides otherwise."""


@dataclass(frozen=True)
class Mutant:
    """The bundle with one fault: `place` is a rule's file or the path of a limit."""

    place: str
    fault: str
    operator: str
    """limit, comparison, negation or decision."""
    folders: tuple[str, ...]
    """Rules whose tests and samples have to notice, the likeliest first."""
    bundle: RegoBundle

    @property
    def id(self) -> str:
        return f"{self.place}: {self.fault}"


def mutants() -> Iterator[Mutant]:
    """Every fault, in an order that is always the same."""
    for source in BUNDLE.policies:
        if source.name.endswith("/rule.rego"):
            yield from _of_source(source)
    for topic, block in BUNDLE.data["limits"].items():
        if isinstance(block, dict) and "defaults" in block:
            yield from _of_limits(topic, block)


def survives(mutant: Mutant) -> bool | None:
    """Whether no test and no sample notices; None where the fault does not even compile."""
    try:
        engine = compiled(
            (*mutant.bundle.policies, *mutant.bundle.tests), json.dumps(mutant.bundle.data)
        )
        engine.get_packages()
        evaluated(engine, "data.finops.verdict")
    except EngineError as error:
        if _would_not_compile(error):
            return None
        return False
    tests = sorted(BUNDLE.tests, key=lambda test: _rank(test, mutant))
    own = [test for test in tests if _rank(test, mutant) < len(mutant.folders)]
    if _noticed(engine, own):
        return False
    for folder in mutant.folders:
        if judge_samples(mutant.bundle, folder, _samples(folder)):
            return False
    return not _noticed(engine, [test for test in tests if test not in own])


def _would_not_compile(error: EngineError) -> bool:
    return any(
        word in str(error) for word in ("expecting", "unsafe", "before definition", "undefined")
    )


def _noticed(engine: Any, tests: Sequence[Source]) -> bool:
    for source in tests:
        package = package_of(source.text)
        for name in _TESTS.findall(source.text):
            try:
                if evaluated(engine, f"data.{package}.{name}") is not True:
                    return True
            except EngineError:
                return True
    return False


def _rank(test: Source, mutant: Mutant) -> int:
    folder = PurePosixPath(test.name).parent.as_posix()
    return mutant.folders.index(folder) if folder in mutant.folders else len(mutant.folders)


@cache
def _samples(folder: str) -> tuple[Sample, ...]:
    return read_samples(BUNDLE, folder)


def _of_source(source: Source) -> Iterator[Mutant]:
    lines = source.text.splitlines(keepends=True)
    folder = PurePosixPath(source.name).parent.as_posix()
    for number, line in enumerate(lines):
        if line.startswith("#") or line.lstrip().startswith("#"):
            continue
        for operator, changed in _of_line(line):
            text = "".join([*lines[:number], changed, *lines[number + 1 :]])
            policies = tuple(
                Source(each.name, text) if each.name == source.name else each
                for each in BUNDLE.policies
            )
            yield Mutant(
                place=source.name,
                fault=f"{line.strip()} -> {changed.strip()}",
                operator=operator,
                folders=(folder,),
                bundle=replace(BUNDLE, policies=policies, id="mutant"),
            )


def _of_line(line: str) -> Iterator[tuple[str, str]]:
    for sign, others in _TURNED.items():
        if sign in line:
            for other in others:
                yield "comparison", line.replace(sign, other, 1)
    if re.match(r"\s+not ", line):
        yield "negation", line.replace("not ", "", 1)
    elif " if not " in line:
        yield "negation", line.replace(" if not ", " if ", 1)
    elif _BARE.fullmatch(line):
        yield "negation", line.replace("\t", "\tnot ", 1)
    if re.search(r'"(decision|id)": "(deny|needs_approval)"|severity\("', line):
        for word in ("deny", "needs_approval"):
            if f'"{word}"' in line:
                yield "decision", line.replace(f'"{word}"', f'"{_WORDS[word]}"', 1)
                break


def _of_limits(topic: str, block: dict[str, Any]) -> Iterator[Mutant]:
    folders = tuple(
        PurePosixPath(source.name).parent.as_posix()
        for source in BUNDLE.policies
        if any(topic in found for found in _LIMITS.findall(source.text))
        and source.name.endswith("/rule.rego")
    ) or tuple(sorted(_readers(topic)))
    for part in ("defaults", "environments"):
        for path, value in _leaves(block.get(part, {}), (topic, part)):
            for fault, other in _others(value):
                data = copy.deepcopy(BUNDLE.data)
                _put(data["limits"], path, other)
                yield Mutant(
                    place=".".join(map(str, path)),
                    fault=fault,
                    operator="limit",
                    folders=folders,
                    bundle=replace(BUNDLE, data=data, id="mutant"),
                )


def _readers(topic: str) -> set[str]:
    """Rules that read a topic through a library."""
    libraries = [
        PurePosixPath(source.name).stem
        for source in BUNDLE.policies
        if any(topic in found for found in _LIMITS.findall(source.text))
    ]
    return {
        PurePosixPath(source.name).parent.as_posix()
        for source in BUNDLE.policies
        if any(f"data.finops.lib.{library}\n" in source.text for library in libraries)
        and source.name.endswith("/rule.rego")
    }


def _leaves(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Single values and lists of them, with the way to each."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        yield path, value
        for place, item in enumerate(value):
            yield from _leaves(item, (*path, place))
    else:
        yield path, value


def _others(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, bool):
        yield f"{value} -> {not value}", not value
    elif isinstance(value, int | float):
        for other in (value * 2 or 1, value / 2, 0):
            if other != value:
                yield f"{value} -> {other}", other
    elif isinstance(value, list) and value:
        yield "emptied", []
        if not isinstance(value[0], dict):
            for place, item in enumerate(value):
                yield f"without {item}", [*value[:place], *value[place + 1 :]]
    elif isinstance(value, str) and value in _WORDS:
        yield f"{value} -> {_WORDS[value]}", _WORDS[value]


def _put(into: Any, path: tuple[Any, ...], value: Any) -> None:
    for part in path[:-1]:
        into = into[part]
    into[path[-1]] = value


def chosen(every: Sequence[Mutant], key: Callable[[Mutant], Any]) -> list[Mutant]:
    """The first mutant of each kind: always the same few."""
    return list({key(mutant): mutant for mutant in reversed(every)}.values())[::-1]
