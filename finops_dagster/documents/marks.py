"""YAML text to plain data, remembering the line of every key; refuses what no document can be.

Nothing here knows what a key means.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq, TaggedScalar
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.scalarbool import ScalarBoolean
from ruamel.yaml.timestamp import TimeStamp

from finops_dagster.domain.errors import Fault, SettingsError

Location = tuple[str | int, ...]

_MAX_NODES = 20_000
_MAX_DEPTH = 20
"""Aliases can multiply at each level; the bounds are far above any real file."""


@dataclass
class Marked:
    """Plain data and the 1-based line of every key and list item in it."""

    data: dict[str, Any]
    lines: dict[Location, int] = field(default_factory=dict)

    def line(self, location: Location) -> int | None:
        """Line of `location`, or of the nearest thing that holds it; None if nothing does."""
        for length in range(len(location), 0, -1):
            if location[:length] in self.lines:
                return self.lines[location[:length]]
        return None


def read_marked(
    text: str, file: str, what: str = "settings", hint: str = "Write one with `finops init`."
) -> Marked:
    """Parse `text`; raises SettingsError naming `file` and line for all that is no mapping.

    `what` the file is meant to hold, and the `hint` of where to get one, are for the faults.
    """
    try:
        tree = YAML(typ="rt", pure=True).load(text)
    except (YAMLError, RecursionError) as error:
        raise SettingsError(f"{file} is not valid YAML", (_syntax_fault(error, file),)) from error
    if tree is None or (isinstance(tree, CommentedMap) and not tree):
        fault = Fault(
            code="empty_file",
            file=file,
            expected=f"Expected {what}, found no key.",
            hint=hint,
        )
        raise SettingsError(f"{file} is empty", (fault,))
    if not isinstance(tree, CommentedMap):
        fault = Fault(
            code="not_a_mapping",
            file=file,
            row=1,
            expected="Expected `key: value` lines at the top level, found something else.",
            hint=hint,
        )
        raise SettingsError(f"{file} holds no {what}", (fault,))
    reader = _Reader(file)
    data = reader.mapping(tree, ())
    return Marked(data, reader.lines)


class _Reader:
    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Location, int] = {}

    def mapping(self, node: CommentedMap, at: Location) -> dict[str, Any]:
        plain: dict[str, Any] = {}
        for key, value in node.items():
            where = (*at, str(key))
            mark = node.lc.data.get(key) if node.lc.data else None
            if mark is not None:  # none for a key that came with a merge (<<)
                self.lines[where] = mark[0] + 1
            plain[str(key)] = self.value(value, where)
        return plain

    def value(self, node: Any, at: Location) -> Any:
        if len(at) > _MAX_DEPTH or len(self.lines) > _MAX_NODES:
            raise self.refusal(at, "nested or repeated too far", "Write it out without aliases.")
        if isinstance(node, CommentedMap):
            return self.mapping(node, at)
        if isinstance(node, CommentedSeq):
            items = []
            for position, item in enumerate(node):
                where = (*at, position)
                mark = node.lc.data.get(position) if node.lc.data else None
                if mark is not None:
                    self.lines[where] = mark[0] + 1
                items.append(self.value(item, where))
            return items
        if isinstance(node, TaggedScalar):
            raise self.refusal(at, f"tagged {node.tag}", "Write a plain value without a !tag.")
        if isinstance(node, ScalarBoolean):
            return bool(node)
        if isinstance(node, TimeStamp):
            return str(node)
        if node is None or isinstance(node, bool | date):
            return node
        for plain in (str, int, float):
            if isinstance(node, plain):
                return plain(node)
        raise self.refusal(at, f"a {type(node).__name__}", "Write a plain value or a list.")

    def refusal(self, at: Location, found: str, hint: str) -> SettingsError:
        key = dotted(at)
        fault = Fault(
            code="unsupported_yaml",
            file=self.file,
            row=Marked({}, self.lines).line(at),
            column=key,
            expected=f"Expected a plain value, found one that is {found}.",
            hint=hint,
        )
        return SettingsError(f"{self.file}: `{key}` cannot be read", (fault,))


def dotted(location: Location) -> str:
    """`billing[0].path` for ("billing", 0, "path")."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _syntax_fault(error: YAMLError | RecursionError, file: str) -> Fault:
    if isinstance(error, MarkedYAMLError):
        mark = error.problem_mark or error.context_mark
        row = None if mark is None else mark.line + 1
        problem = str(error.problem or error.context or "it cannot be parsed")
        if isinstance(error, DuplicateKeyError):
            key = problem.removeprefix("found duplicate key ").split('"')[1:2]
            return Fault(
                code="duplicate_key",
                file=file,
                row=row,
                column=key[0] if key else None,
                expected="Expected each key once, found it twice.",
                hint="Keep one of them.",
            )
        return Fault(
            code="bad_yaml",
            file=file,
            row=row,
            expected=f"Expected valid YAML: {' '.join(problem.split())}.",
            hint="Mind indentation, quotes and colons on this line and the one above.",
        )
    return Fault(
        code="bad_yaml",
        file=file,
        expected=f"Expected valid YAML: {' '.join(str(error).split())[:200]}.",
        hint="Save the file as plain UTF-8 text.",
    )
