"""What the sentence of a rule says, where it is one of the few forms a machine can read whole.

A published check sometimes contradicts the sentence beside it; the sentence is what binds.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from finops_dagster.quality.conformance.model import Check, column_check

_NULL = re.compile(
    r"^(?P<column>\w+) (?:MUST|SHOULD|MAY)(?P<not> NOT)? be null(?P<rest>.*?)\.?$", re.DOTALL
)
_DECIMAL = re.compile(r"^(?P<column>\w+) MUST be a valid decimal value(?P<rest>.*?)\.?$")
_WHEN = re.compile(r"^When (?P<condition>.+?), (?:the )?\w+.*? adheres? to", re.DOTALL)
_CLAUSE = re.compile(
    r'^(?P<column>[A-Z][A-Za-z ]*?) is (?P<not>not )?(?P<values>null|"[^"]*"(?: or "[^"]*")*)$'
)


@dataclass(frozen=True)
class Sentence:
    """What a sentence requires, and when. `bound` but without `condition`: it names a condition
    in words that only people can judge."""

    requirement: Check
    condition: Check | None = None
    bound: bool = False


def read_sentence(text: str, columns: Collection[str]) -> Sentence | None:
    """The meaning of a rule's sentence; None where it has another form."""
    found = _NULL.match(text)
    if found:
        function = "CheckNotValue" if found["not"] else "CheckValue"
        requirement = column_check(function, found["column"], None)
    else:
        found = _DECIMAL.match(text)
        if found is None:
            return None
        requirement = Check("CheckDecimalValue", {"ColumnName": found["column"]})
    rest = found["rest"].strip()
    if found["column"] not in columns or (rest and not rest.startswith("when ")):
        return None
    if not rest or rest == "when not null":
        return Sentence(requirement)
    return Sentence(requirement, read_condition(rest.removeprefix("when "), columns), bound=True)


def read_opening(text: str, columns: Collection[str]) -> Check | None:
    """The condition a composite rule opens with ("When X is not null, X adheres to ...")."""
    found = _WHEN.match(text)
    return read_condition(found["condition"], columns) if found else None


def read_condition(text: str, columns: Collection[str]) -> Check | None:
    """`A is null and B is not "x" or "y"`, and such joined by `, or when`; None if it is not."""
    ways = [_conjunction(way, columns) for way in text.split(", or when ")]
    if any(way is None for way in ways):
        return None
    return _group("OR", [way for way in ways if way is not None])


def _conjunction(text: str, columns: Collection[str]) -> Check | None:
    clauses = [_clause(clause, columns) for clause in text.split(" and ")]
    if any(clause is None for clause in clauses):
        return None
    return _group("AND", [clause for clause in clauses if clause is not None])


def _clause(text: str, columns: Collection[str]) -> Check | None:
    found = _CLAUSE.match(text.strip())
    if found is None:
        return None
    column = found["column"].replace(" ", "")
    if column not in columns:
        return None
    given = found["values"]
    values = [None] if given == "null" else re.findall(r'"([^"]*)"', given)
    function = "CheckNotValue" if found["not"] else "CheckValue"
    # "is not A or B" is neither of them
    return _group(
        "AND" if found["not"] else "OR", [column_check(function, column, v) for v in values]
    )


def _group(function: str, checks: list[Check]) -> Check:
    return checks[0] if len(checks) == 1 else Check(function, {}, tuple(checks))
