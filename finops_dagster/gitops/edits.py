"""One value's edit, and edits applied to bytes; every other byte stays.

How a kind of file writes a value is in yaml_text and hcl_text; whether changing it is safe is
checked in verification.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from finops_dagster.domain.decisions import Edit, ValueLocation
from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.gitops import hcl_text, yaml_text
from finops_dagster.gitops.refusals import refusal

MAX_VALUE_CHARACTERS = 4096

Dialect = Callable[[ValueLocation, str, str, bytes], str]
"""(location, old text, new value, file) -> new text in the old one's style; raises Stopped."""

_DIALECTS: tuple[tuple[tuple[str, ...], Dialect], ...] = (
    ((".tf.json", ".tofu.json"), hcl_text.written_in_json),
    ((".tf", ".tofu", ".tfvars"), hcl_text.written),
)
"""By the file's ending; YAML and JSON for all others."""


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
    check_value(location, new_value, block=raw[0] in "|>")
    return Edit(
        file=location.file,
        start_byte=location.start_byte,
        end_byte=location.end_byte,
        before=raw,
        after=_dialect(location.file)(location, raw, new_value, source),
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


def _dialect(file: str) -> Dialect:
    return next((one for endings, one in _DIALECTS if file.endswith(endings)), yaml_text.written)


def check_value(location: ValueLocation, value: str, *, block: bool = False) -> None:
    """Raises Stopped for what no value of that field is. `block`: it may hold several lines."""
    if len(value) > MAX_VALUE_CHARACTERS:
        raise refusal("bad_value", location, f"longer than {MAX_VALUE_CHARACTERS} characters")
    if any(not c.isprintable() and not (block and c == "\n") for c in value):
        raise refusal("bad_value", location, "the new value holds control characters")
    if (
        yaml_text.is_quantity_field(location.field)
        and yaml_text.is_quantity(location.value)
        and not yaml_text.is_quantity(value)
    ):
        raise refusal("bad_value", location, f"{value!r} is not a Kubernetes quantity")
