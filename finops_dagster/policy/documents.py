"""Files of manifests to plain documents: YAML and JSON, several to a file, hostile ones refused.

What a document means, and whether it is a resource, is decided elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.constructor import SafeConstructor
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from finops_dagster.policy.inputs import plain

MAX_BYTES = 8 * 1024 * 1024
MAX_VALUES = 200_000
"""Values of one document after its aliases are expanded: a few hundred bytes can mean billions."""
MAX_DEPTH = 100
"""The Rego engine reads JSON 127 deep; the input document adds some levels of its own."""
_TEMPLATED = re.compile(r"\{\{|\{%|<%")


@dataclass(frozen=True)
class Document:
    """One document of a file: its position from 0, its first line from 1, its plain content."""

    index: int
    line: int
    content: Any


class UnreadableError(Exception):
    """A file that cannot be read as YAML or JSON; the message is the reason for a person."""


def read_documents(file: Path) -> list[Document]:
    """Documents of `file` in order, empty ones left out. Raises UnreadableError.

    YAML 1.2, of which JSON is a part. Tags of the kind `!Ref x` are read as what they carry, as
    {"Ref": x}; tags that would build objects are refused.
    """
    text = _text(file)
    try:
        return list(_documents(text))
    except YAMLError as error:
        if _TEMPLATED.search(text):
            raise UnreadableError("a template: render it first, then check the result") from error
        raise UnreadableError(f"not YAML: {_where(error)}") from error
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        # ruamel's resolver and constructors let these through for malformed scalars.
        raise UnreadableError(f"not YAML: {error}") from error
    except RecursionError as error:
        raise UnreadableError("nested too deeply") from error


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > MAX_BYTES:
            raise UnreadableError(f"larger than {MAX_BYTES // 1024**2} MiB")
        return file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableError("not UTF-8 text") from error
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror}") from error


def _documents(text: str) -> Iterator[Document]:
    yaml = YAML(typ="safe", pure=True)
    yaml.Constructor = _Constructor
    for index, node in enumerate(yaml.compose_all(text)):
        if node is None:
            continue
        _size(node, {}, ())
        content = plain(yaml.constructor.construct_document(node))
        if content is not None:
            yield Document(index=index, line=node.start_mark.line + 1, content=content)


def _size(node: Node, known: dict[int, tuple[int, int]], above: tuple[int, ...]) -> tuple[int, int]:
    """(values, depth) of `node` with aliases expanded. Raises UnreadableError beyond the limits."""
    if id(node) in above:
        raise UnreadableError("an anchor that holds itself")
    if len(above) > MAX_DEPTH:
        raise UnreadableError("nested too deeply")
    if id(node) in known:
        return known[id(node)]
    children: list[Node] = []
    if isinstance(node, MappingNode):
        children = [part for pair in node.value for part in pair]
    elif isinstance(node, SequenceNode):
        children = list(node.value)
    values, depth = 1, 0
    for child in children:
        more, below = _size(child, known, (*above, id(node)))
        values, depth = values + more, max(depth, below)
        if values > MAX_VALUES:
            raise UnreadableError(f"more than {MAX_VALUES} values once its aliases are expanded")
    if depth + 1 > MAX_DEPTH:
        raise UnreadableError("nested too deeply")
    known[id(node)] = values, depth + 1
    return known[id(node)]


class _Constructor(SafeConstructor):
    """Plain values only; short local tags, as CloudFormation has them, become mappings."""


def _local_tag(constructor: Any, tag: str, node: Node) -> Any:
    if isinstance(node, ScalarNode):
        value: Any = constructor.construct_scalar(node)
    elif isinstance(node, SequenceNode):
        value = constructor.construct_sequence(node, deep=True)
    else:
        value = constructor.construct_mapping(node, deep=True)
    return {tag: value}


_Constructor.add_multi_constructor("!", _local_tag)


def _where(error: YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error).split("\n")[0]
    return f"line {mark.line + 1}: {problem}" if mark is not None else problem
