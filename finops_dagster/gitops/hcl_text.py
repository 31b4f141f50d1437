"""One value's new text in Terraform's and OpenTofu's files: no text ever becomes an expression.

Which value it is, and whether it may be changed, is decided elsewhere.
"""

from __future__ import annotations

import json
import re

from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.gitops.refusals import refusal

_INT = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?\Z")
_MARK = re.compile(r"([$%])\{")
_ESCAPED_MARK = re.compile(r"\$\$\{|%%\{")


def written(location: ValueLocation, raw: str, value: str, source: bytes) -> str:
    """`value` as a constant of the same kind as `raw`. Raises Stopped.

    `${` and `%{` begin expressions in quotes, and are doubled to mean themselves
    (https://github.com/hashicorp/hcl/blob/main/hclsyntax/spec.md, template literals).
    """
    if raw[0] == '"':
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{_literal(location, escaped)}"'
    return _bare(location, raw, value)


def written_in_json(location: ValueLocation, raw: str, value: str, source: bytes) -> str:
    """The same where Terraform is written as JSON, whose strings are templates too."""
    if raw[0] == '"':
        return json.dumps(_literal(location, value), ensure_ascii=False)
    return _bare(location, raw, value)


def _literal(location: ValueLocation, text: str) -> str:
    if _ESCAPED_MARK.search(text):
        raise refusal("bad_value", location, "$${ and %%{ are escapes, which readers take apart")
    return _MARK.sub(r"\1\1{", text)


def _bare(location: ValueLocation, raw: str, value: str) -> str:
    kinds = (
        (re.compile(r"(?:true|false)\Z"), "a boolean"),
        (_INT, "a whole number"),
        (_NUMBER, "a number"),
    )
    for pattern, kind in kinds:
        if pattern.match(raw):
            if not pattern.match(value):
                raise refusal("kind", location, f"{raw} is {kind}, {value!r} is not")
            return value
    raise refusal("kind", location, f"{raw!r} is no plain text, number or boolean")
