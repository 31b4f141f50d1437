"""One value's new text in its old style, and edits applied to bytes; every other byte stays.

What a value belongs to, and whether changing it is safe, is checked in verification.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from finops_dagster.domain.decisions import Edit, ValueLocation
from finops_dagster.domain.errors import Fault, Stopped

MAX_VALUE_CHARACTERS = 4096

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


def plan_edit(location: ValueLocation, new_value: str, source: bytes) -> Edit:
    """The edit that makes the value at `location` read `new_value`, in the style it is written.

    `source`: bytes of the file. Raises Stopped if the value may not be edited, already reads so,
    or would change its kind (a number stays a number, a string a string; a Kubernetes quantity
    may be either).
    """
    if not location.editable:
        raise refusal("not_editable", location, location.reason)
    if new_value == location.value:
        raise refusal("unchanged", location, f"it already reads {new_value!r}")
    raw = source[location.start_byte : location.end_byte].decode()
    if not raw:
        raise refusal("not_editable", location, "nothing is written there")
    _check_text(location, new_value, block=raw[0] in "|>")
    return Edit(
        file=location.file,
        start_byte=location.start_byte,
        end_byte=location.end_byte,
        before=raw,
        after=_written(location, raw, new_value, source),
    )


def apply_edits(data: bytes, edits: Iterable[Edit]) -> bytes:
    """`data` with the edits of one file made. Raises Stopped if it does not read as they say."""
    result = data
    end_of_free = len(data)
    for edit in sorted(edits, key=lambda one: one.start_byte, reverse=True):
        before = edit.before.encode()
        found = data[edit.start_byte : edit.end_byte]
        if found != before or edit.end_byte > end_of_free:
            raise Stopped(
                f"{edit.file} is not what the change was made for",
                (
                    Fault(
                        code="moved",
                        file=edit.file,
                        expected=f"{edit.before!r} was expected at bytes {edit.start_byte} to "
                        f"{edit.end_byte}, {found[:80].decode(errors='replace')!r} is there.",
                        hint="Plan the change again on the newest commit.",
                    ),
                ),
            )
        result = result[: edit.start_byte] + edit.after.encode() + result[edit.end_byte :]
        end_of_free = edit.start_byte
    return result


def is_quantity_field(field: str) -> bool:
    """Whether Kubernetes reads the field as a quantity, from a number or a string alike."""
    return _QUANTITY_FIELD.search(field) is not None


def refusal(code: str, location: ValueLocation, reason: str) -> Stopped:
    """A refusal to edit, in the words of the house."""
    return Stopped(
        f"{location.resource} {location.field}: {reason}",
        (
            Fault(
                code=code,
                file=location.file,
                expected=f"{location.resource} {location.field}: {reason}.",
                hint="Change it by hand, or choose another value.",
            ),
        ),
    )


def _check_text(location: ValueLocation, value: str, *, block: bool) -> None:
    if len(value) > MAX_VALUE_CHARACTERS:
        raise refusal("bad_value", location, f"longer than {MAX_VALUE_CHARACTERS} characters")
    if any(not c.isprintable() and not (block and c == "\n") for c in value):
        raise refusal("bad_value", location, "the new value holds control characters")
    if (
        is_quantity_field(location.field)
        and _QUANTITY.match(location.value)
        and not _QUANTITY.match(value)
    ):
        raise refusal("bad_value", location, f"{value!r} is not a Kubernetes quantity")


def _written(location: ValueLocation, raw: str, value: str, source: bytes) -> str:
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
    if location.file.endswith(".json"):
        return False
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
