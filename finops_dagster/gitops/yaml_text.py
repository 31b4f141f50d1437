"""One YAML or JSON value's new text in its old style: quotes, numbers, block text.

Which value it is, and whether it may be changed, is decided elsewhere.
"""

from __future__ import annotations

import re

from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.gitops.refusals import refusal

_INT = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_QUANTITY = re.compile(
    r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?\Z"
)
"""apimachinery, pkg/api/resource/quantity.go."""

_QUANTITY_FIELD = re.compile(
    r"(?:^|\.)(?:requests|limits|hard|capacity|default|defaultRequest|min|max|minAllowed|maxAllowed)"
    r"""(?:\.[^.\[\]]+|\["[^"]*"\])\Z"""
    r"|(?:^|\.)(?:cpu|memory|storage|sizeLimit|ephemeral-storage)\Z"
)
"""Fields whose type is Quantity, which Kubernetes reads from a number or from a string."""

_NOT_STRING = re.compile(
    r"(?:~|null|true|false|yes|no|on|off|y|n|=|<<|[-+]?\.(inf|nan)"
    r"|[-+]?(0b[01_]+|0o?[0-7_]+|0x[0-9a-f_]+|[0-9][0-9_]*(:[0-5]?[0-9])*(\.[0-9_]*)?(e[-+]?[0-9]+)?"
    r"|\.[0-9_]+(e[-+]?[0-9]+)?)"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([T \t].*)?)?\Z",
    re.IGNORECASE,
)
"""What any YAML 1.1 or 1.2 reader may take for something other than a string."""

_SAFE_WORD = r"[A-Za-z0-9_./+@%=~:-]*[A-Za-z0-9_./+@%=~-]"
_SAFE_PLAIN = re.compile(
    rf"(?!---|\.\.\.)-{{0,2}}[A-Za-z0-9_./](?:{_SAFE_WORD})?(?: {_SAFE_WORD})*\Z"
)
_ALONE_ON_LINE = re.compile(rb"""[ \t-]*["']?[A-Za-z0-9_./-]+["']?[ \t]*:[ \t]+\Z""")


def is_quantity_field(field: str) -> bool:
    """Whether Kubernetes reads the field as a quantity, from a number or a string alike."""
    return _QUANTITY_FIELD.search(field) is not None


def is_quantity(text: str) -> bool:
    """Whether Kubernetes reads the text as a quantity."""
    return _QUANTITY.match(text) is not None


def written(location: ValueLocation, raw: str, value: str, source: bytes) -> str:
    """`value` in the style of `raw`, which stands at `location` of `source`. Raises Stopped."""
    if raw[0] == "'":
        return "'" + value.replace("'", "''") + "'"
    if raw[0] == '"':
        return _double(value)
    if raw[0] in "|>":
        return _block(location, raw, value)
    return _plain(location, raw, value, source)


def _plain(location: ValueLocation, raw: str, value: str, source: bytes) -> str:
    lowered = raw.lower()
    if lowered in {"true", "false"}:
        if value not in {"true", "false"}:
            raise refusal("kind", location, f"{raw} is a boolean, {value!r} is not")
        return value
    number = bool(_NUMBER.match(raw))
    if not number and _NOT_STRING.match(raw):
        # Octal, sexagesimal, null, yes: what a reader makes of them depends on the reader.
        raise refusal("kind", location, f"{raw!r} means different things to different readers")
    if number:
        same_kind = _INT if _INT.match(raw) and not is_quantity_field(location.field) else _NUMBER
        if same_kind.match(value):
            return value
        if not is_quantity_field(location.field):
            what = "a whole number" if _INT.match(raw) else "a number"
            raise refusal("kind", location, f"{raw} is {what}, {value!r} is not")
    if (
        _SAFE_PLAIN.match(value)
        and not _NOT_STRING.match(value)
        and (not number or _stands_alone(location, source))
    ):
        return value
    return _double(value)


def _stands_alone(location: ValueLocation, source: bytes) -> bool:
    """Whether the value follows `key:` on a line of block YAML, where a bare string is legal."""
    if source.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"["):
        return False  # JSON, whatever its file is called: CloudFormation's is often `.template`
    line = source[source.rfind(b"\n", 0, location.start_byte) + 1 : location.start_byte]
    return _ALONE_ON_LINE.match(line.removeprefix(b"\xef\xbb\xbf")) is not None


def _double(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _block(location: ValueLocation, raw: str, value: str) -> str:
    header, *lines = raw.split("\n")
    ending = "\r\n" if header.endswith("\r") else "\n"
    chomp = re.fullmatch(r"\|([1-9]?)(-?)\s*(#.*)?", header)
    written = [line for line in lines if line.strip()]
    if chomp is None or not written or chomp[1]:
        raise refusal("kind", location, "only literal block text (| or |-) is edited: not yet")
    if chomp[2] and value.endswith("\n"):
        raise refusal("kind", location, "block text written with |- cannot end with a new line")
    if not chomp[2] and (not value.endswith("\n") or value.endswith("\n\n")):
        raise refusal("kind", location, "block text written with | ends with one new line")
    if not value.strip() or value[0] in " \n":
        raise refusal("kind", location, "block text starts with its first word")
    indent = written[0][: len(written[0]) - len(written[0].lstrip(" "))]
    body = value.removesuffix("\n").split("\n")
    return ending.join([header.rstrip("\r"), *(indent + line if line else "" for line in body)])
