"""YAML and JSON text as trees of scalars that remember which bytes of which file they are.

Kubernetes, Kustomize and Git are not known here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import yaml

MAX_DEPTH = 100
"""Nesting accepted in one document; the deepest CRD schemas seen nest about 40 levels."""

MAX_NODES = 200_000
"""Keys, values and collections of one document, its aliases expanded: bounds an alias bomb."""

MAX_FILE_NODES = 500_000
"""The same of one file: the most that 5 MB of hand-kept YAML hold, read in seconds."""

DOCUMENT_NODES = 10
"""What an empty document counts for: it costs about as much time as ten values."""


class UnreadableError(ValueError):
    """The text cannot be read as the trees below; the message says why."""


class TooLargeError(UnreadableError):
    """It could be read, but would take more time and memory than a manifest is worth."""


@dataclass(slots=True)
class Scalar:
    """One scalar: its meaning, its bytes, and why it may not be edited (empty: it may)."""

    text: str
    kind: str
    """str, int, float, bool or null."""
    file: str
    document: int
    start: int
    """Bytes [start, end) of the file, quotes included; both 0 where no bytes own the value."""
    end: int
    reason: str = ""


@dataclass(slots=True)
class Traced(Scalar):
    """A scalar that the values at other bytes have a say in."""

    uses: frozenset[tuple[str, int]] = frozenset()
    """(file, first byte) of each of those values."""
    known: bool = True
    """False where the text is an expression's, and what it comes to is not known."""


Node = Scalar | dict[str, "Node"] | list["Node"]


@dataclass(frozen=True)
class ParsedFile:
    """The documents of one file, or why there are none."""

    documents: tuple[Node, ...] = ()
    error: str = ""


_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLS = frozenset(
    word
    for base in ("true", "false", "yes", "no", "on", "off", "y", "n")
    for word in (base, base.capitalize(), base.upper())
)
_INT = re.compile(r"[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+|[0-9][0-9_]*)\Z")
_FLOAT = re.compile(
    r"[-+]?((\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))\Z|\.(nan|NaN|NAN)\Z"
)


def plain_kind(text: str) -> str:
    """What an unquoted scalar means to Kubernetes' YAML readers (1.1 booleans, 1.2 numbers)."""
    if text in _NULLS:
        return "null"
    if text in _BOOLS:
        return "bool"
    if _INT.match(text):
        return "int"
    return "float" if _FLOAT.match(text) else "str"


def parse_file(data: bytes, file: str, *, tagged: bool = False) -> ParsedFile:
    """Documents of a YAML or JSON file; never raises, an unreadable file says why.

    With `tagged`, what carries a tag of its own is read as {TAG: value}, as in `!Ref x`.
    """
    bom = 3 if data.startswith(b"\xef\xbb\xbf") else 0
    try:
        text = data[bom:].decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, bom + error.start) + 1
        found = "UTF-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else f"a byte on line {line}"
        return ParsedFile(error=f"not UTF-8 ({found}): save it as UTF-8")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return ParsedFile(error=f"a NUL byte on line {line}: it is binary, or UTF-16 text")
    offsets = _ByteOffsets(text)
    try:
        documents = _parse(text, file, lambda index: bom + offsets.byte(index), None, tagged)
    except UnreadableError as error:
        if "{{" in text:
            return ParsedFile(error="a template ({{ }}), not plain YAML: not yet")
        what = "too large" if isinstance(error, TooLargeError) else "not valid YAML"
        return ParsedFile(error=f"{what}: {error}")
    return ParsedFile(documents=tuple(documents))


def parse_embedded(scalar: Scalar, data: bytes) -> tuple[Node, ...]:
    """Documents inside a scalar (an inline patch), their bytes mapped to the outer file.

    Where inner and outer bytes do not correspond one to one (folded, escaped), the values are
    read but not editable. Raises UnreadableError.
    """
    place = _inner_positions(scalar, data)
    if place is None:
        return tuple(
            blocked(document, "the patch is folded or escaped text")
            for document in _parse(scalar.text, scalar.file, lambda _: scalar.start, scalar)
        )
    return tuple(_parse(scalar.text, scalar.file, place, scalar))


def blocked(node: Node, reason: str) -> Node:
    """A copy of `node` none of whose scalars may be edited, for `reason`."""
    if isinstance(node, Scalar):
        if node.reason:
            return node
        return replace(node, reason=reason)
    if isinstance(node, dict):
        return {key: blocked(value, reason) for key, value in node.items()}
    return [blocked(value, reason) for value in node]


def scalars(node: Node) -> Iterator[Scalar]:
    """Every scalar under `node`, in document order."""
    if isinstance(node, Scalar):
        yield node
    else:
        for value in node.values() if isinstance(node, dict) else node:
            yield from scalars(value)


def plain(node: Node) -> object:
    """`node` as JSON-ready data. Numbers too odd for JSON stay text."""
    if isinstance(node, dict):
        return {key: plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [plain(value) for value in node]
    if node.kind == "null":
        return None
    if node.kind == "bool":
        return node.text.lower() in {"true", "yes", "on", "y"}
    try:
        if node.kind == "int":
            digits = node.text.replace("_", "")
            legacy_octal = re.fullmatch(r"[-+]?0[0-7]+", digits)
            if not legacy_octal and re.fullmatch(r"[-+]?[0-9]+", digits):
                return int(digits)
            return int(digits, 8 if legacy_octal else 0)
        if node.kind == "float" and "n" not in node.text.lower():
            return float(node.text.replace("_", ""))
    except ValueError:
        return node.text
    return node.text


def known(node: Node | None) -> bool:
    """Whether `node` is what it says: an expression that is not worked out is not."""
    return not isinstance(node, Traced) or node.known


def text_of(node: Node | None) -> str | None:
    """Text of a scalar that is not null, else None."""
    return node.text if isinstance(node, Scalar) and node.kind != "null" else None


def mapping(node: Node | None) -> dict[str, Node]:
    """`node` if it is a mapping, else an empty one."""
    return node if isinstance(node, dict) else {}


def sequence(node: Node | None) -> list[Node]:
    """`node` if it is a list, else an empty one."""
    return node if isinstance(node, list) else []


class _ByteOffsets:
    """Character index -> UTF-8 byte offset in one text."""

    def __init__(self, text: str) -> None:
        self._ends: list[int] = []
        self._extra = [0]
        if not text.isascii():
            for index, character in enumerate(text):
                if character >= "\x80":
                    self._ends.append(index)
                    self._extra.append(self._extra[-1] + len(character.encode()) - 1)

    def byte(self, index: int) -> int:
        return index + self._extra[bisect_right(self._ends, index - 1)]


@dataclass(slots=True)
class _Open:
    """A collection that is being read."""

    node: dict[str, Node] | list[Node]
    anchor: str | None
    key: str | None = None
    merging: bool = False
    """Whether the key is a bare <<, which merges; in quotes it is a key like any other."""
    flow: bool = False
    tag: str = ""
    merges: list[Node] = field(default_factory=list)


def _parse(
    text: str,
    file: str,
    place: Callable[[int], int],
    outer: Scalar | None,
    tagged: bool = False,
) -> list[Node]:
    """Read events with an explicit stack: libyaml's own composer recurses and can crash."""
    loader = yaml.CSafeLoader(text) if yaml.__with_libyaml__ else yaml.SafeLoader(text)
    reader = _Reader(text, file, place, outer, tagged)
    try:
        return reader.read(loader)
    except UnreadableError as error:
        raise type(error)(f"line {reader.line}: {error}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UnreadableError(_explained(error, text)) from error
    finally:
        loader.dispose()


def _explained(error: Exception, text: str) -> str:
    """What YAML's own reader complains of, with the line, and tabs called by their name."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split())[:200]
    problem = getattr(error, "problem", None) or getattr(error, "context", None) or "not YAML"
    line = text.split("\n")[mark.line] if mark.line < text.count("\n") + 1 else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return f"line {mark.line + 1} is indented with a tab: YAML takes spaces only"
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


class _Reader:
    def __init__(
        self,
        text: str,
        file: str,
        place: Callable[[int], int],
        outer: Scalar | None,
        tagged: bool,
    ) -> None:
        self.tagged = tagged
        self.text = text
        self.file = file
        self.place = place
        self.outer = outer
        self.document = -1
        self.stack: list[_Open] = []
        self.anchors: dict[str, Node] = {}
        self.aliased: list[Node] = []
        self.count = 0
        self.in_file = 0
        self.line = 1
        self.root: Node | None = None

    def read(self, loader: yaml.CSafeLoader | yaml.SafeLoader) -> list[Node]:
        documents: list[Node] = []
        while loader.check_event():
            event = loader.get_event()
            if event is not None and event.start_mark is not None:
                self.line = event.start_mark.line + 1
            if isinstance(event, yaml.ScalarEvent):
                self._scalar(event)
            elif isinstance(event, yaml.AliasEvent):
                self._alias(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._counted(1)
                self._deep(1)
                node: dict[str, Node] | list[Node] = (
                    {} if isinstance(event, yaml.MappingStartEvent) else []
                )
                tag = self._own_tag(event)
                self.stack.append(_Open(node, event.anchor, flow=bool(event.flow_style), tag=tag))
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close()
            elif isinstance(event, yaml.DocumentStartEvent):
                self.document += 1
                self.anchors, self.aliased, self.count, self.root = {}, [], 0, None
                self._counted(DOCUMENT_NODES)
            elif isinstance(event, yaml.DocumentEndEvent) and self.root is not None:
                for aliased in self.aliased:
                    for scalar in scalars(aliased):
                        scalar.reason = "its value is written once and used through a YAML alias"
                documents.append(self.root)
        return documents

    def _scalar(self, event: yaml.ScalarEvent) -> None:
        self._counted(1)
        top = self.stack[-1] if self.stack else None
        if top is not None and isinstance(top.node, dict) and top.key is None:
            top.key = event.value
            top.merging = event.value == "<<" and event.style in (None, "")
            if event.anchor:
                self.anchors[event.anchor] = Scalar(event.value, "str", self.file, 0, 0, 0)
            return
        assert event.start_mark is not None
        assert event.end_mark is not None
        start, end = event.start_mark.index, event.end_mark.index
        raw = self.text[start:end]
        reason = ""
        own_tag = self._own_tag(event)
        if event.anchor or event.tag:
            properties = re.match(r"(?:[&!]\S*\s+)+", raw)
            start += properties.end() if properties else 0
            if event.tag and not own_tag:
                reason = "it carries an explicit YAML tag"
        if event.style in ("|", ">"):
            end = start + len(self.text[start:end].rstrip("\r\n"))
        quoted = event.style not in (None, "")
        kind = "str" if quoted or event.tag == "tag:yaml.org,2002:str" else plain_kind(event.value)
        if kind == "null" and start == end:
            reason = "nothing is written there"
        if "{{" in event.value and not reason:
            reason = "it is templated ({{ }})"
        document = self.document if self.outer is None else self.outer.document
        scalar = Scalar(
            event.value, kind, self.file, document, self.place(start), self.place(end), reason
        )
        node: Node = {own_tag: scalar} if own_tag else scalar
        if event.anchor:
            self.anchors[event.anchor] = node
        self._add(node)

    def _alias(self, event: yaml.AliasEvent) -> None:
        top = self.stack[-1] if self.stack else None
        if event.anchor not in self.anchors:
            raise UnreadableError(f"alias {event.anchor!r} has no anchor before it")
        node = self.anchors[event.anchor]
        if top is not None and isinstance(top.node, dict) and top.key is None:
            if not isinstance(node, Scalar):
                raise UnreadableError("a key is not a scalar")
            top.key, top.merging = node.text, False
            return
        nodes, levels = _measured(node)
        self._counted(nodes)
        self._deep(levels)
        self.aliased.append(node)
        self._add(node)

    def _add(self, node: Node) -> None:
        if not self.stack:
            self.root = node
            return
        top = self.stack[-1]
        if isinstance(top.node, list):
            top.node.append(node)
            return
        if top.key is None:
            raise UnreadableError("a key is not a scalar")
        key, top.key = top.key, None
        if top.merging:
            top.merges.extend(node if isinstance(node, list) else [node])
        elif key in top.node:
            top.node[key] = blocked(node, f"the key {key!r} is written twice")
        else:
            top.node[key] = node

    def _close(self) -> None:
        done = self.stack.pop()
        if isinstance(done.node, dict):
            for merged in done.merges:
                if not isinstance(merged, dict):
                    raise UnreadableError("<< merges something that is not a mapping")
                for key, value in merged.items():
                    done.node.setdefault(key, value)
        node: Node = {done.tag: done.node} if done.tag else done.node
        if done.anchor:
            self.anchors[done.anchor] = node
        self._add(node)

    def _own_tag(self, event: yaml.ScalarEvent | yaml.CollectionStartEvent) -> str:
        """The tag of an application, such as !Ref, where those are asked for."""
        tag = event.tag or ""
        return tag if self.tagged and len(tag) > 1 and tag[0] == "!" else ""

    def _counted(self, nodes: int) -> None:
        self.count += nodes
        self.in_file += nodes
        if self.count > MAX_NODES:
            raise TooLargeError(f"more than {MAX_NODES} values in one document: split it")
        if self.in_file > MAX_FILE_NODES:
            raise TooLargeError(f"more than {MAX_FILE_NODES} values in one file: split it")

    def _deep(self, levels: int) -> None:
        if len(self.stack) + levels > MAX_DEPTH:
            raise TooLargeError(f"nested deeper than {MAX_DEPTH} levels")


def _measured(node: Node) -> tuple[int, int]:
    """(values and collections, levels of collections) of what an alias repeats."""
    nodes, levels = 0, 0
    waiting = [(node, 0)]
    while waiting:
        one, above = waiting.pop()
        nodes += 1
        if nodes > MAX_NODES:
            break
        if not isinstance(one, Scalar):
            levels = max(levels, above + 1)
            below = one.values() if isinstance(one, dict) else one
            waiting.extend((value, above + 1) for value in below)
    return nodes, levels


def _inner_positions(scalar: Scalar, data: bytes) -> Callable[[int], int] | None:
    """Map a character index of the scalar's text to a byte of the file; None if it cannot be."""
    raw = data[scalar.start : scalar.end].decode()
    if raw[:1] in {"'", '"'}:
        if raw[1:-1] != scalar.text:
            return None
        inner = _ByteOffsets(scalar.text)
        return lambda index: scalar.start + 1 + inner.byte(index)
    if raw[:1] != "|":
        return None
    return _literal_positions(scalar, raw)


def _literal_positions(scalar: Scalar, raw: str) -> Callable[[int], int] | None:
    lines = raw.split("\n")
    header = re.match(r"\|[-+]?([1-9])?", lines[0])
    content = [line.removesuffix("\r") for line in lines[1:]]
    inner_lines = scalar.text.split("\n")
    first = next((i for i, line in enumerate(content) if line.strip()), None)
    if header is None or first is None or first >= len(inner_lines):
        return None
    # Indentation is what the first written line has more than its text: this also reads an
    # explicit indentation indicator, whose number is relative to a parent not known here.
    indent = len(content[first]) - len(inner_lines[first])
    byte_starts: list[int] = []
    at = scalar.start + len(lines[0].encode()) + 1
    for number, line in enumerate(content):
        if number >= len(inner_lines):
            break
        if line[indent:] != inner_lines[number]:
            return None
        byte_starts.append(at + indent)
        at += len(lines[number + 1].encode()) + 1
    char_starts = [0]
    for line in inner_lines[:-1]:
        char_starts.append(char_starts[-1] + len(line) + 1)

    def place(index: int) -> int:
        number = min(bisect_right(char_starts, index) - 1, len(byte_starts) - 1)
        column = index - char_starts[number]
        return byte_starts[number] + len(inner_lines[number][:column].encode())

    return place
