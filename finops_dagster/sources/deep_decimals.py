"""Costs with more than 20 decimals, as providers that compute in wider numbers write them.

Rounded to what money holds; what that takes is summed exactly, and given back to one row in
`counting`, so that sums stay exact. Which columns may be so deep is a format's business.
"""

from __future__ import annotations

from finops_dagster.domain.money import MONEY_SCALE
from finops_dagster.sources.parsing import DECIMAL, Note, Parsed, RawColumn, literal, parse_money

REST = "DECIMAL(38,36)"
"""Of what was rounded off: exact up to 36 decimals, from 10 on up to 28."""

_DEEP = rf"[+-]?\d{{0,10}}\.\d{{{MONEY_SCALE + 1},36}}|[+-]?\d(\.\d{{1,24}})?[eE]-\d{{1,2}}"


def parse_deep(column: RawColumn) -> tuple[Parsed, str]:
    """A cost as DECIMAL(38,20), and SQL of what rounding took from it."""
    exact = parse_money(column)
    value, rest = deep(exact.text, exact.sql)
    note = Note(
        "decimals_rounded",
        f"({rest} <> 0)",
        f"At most {MONEY_SCALE} decimals; the cost was rounded to them, and what that took from "
        "all of these rows is with the first of them",
        "Nothing to do: the sum is exact.",
    )
    return Parsed(value, exact.given, exact.text, (*exact.notes, note)), rest


def deep(text: str, exact: str) -> tuple[str, str]:
    """SQL of a cost from its text and what it exactly is, if it fits; and of what rounding took.

    That is zero for nearly all, null never.
    """
    long = f"(length({text}) > {MONEY_SCALE} OR contains(lower({text}), 'e'))"
    wide = f"({long} AND regexp_full_match({text}, {literal(_DEEP)}))"
    value = f"coalesce({exact}, CASE WHEN {wide} THEN TRY_CAST({text} AS {DECIMAL}) END)"
    rest = (
        f"CASE WHEN NOT coalesce({wide}, false) THEN 0 WHEN abs({value}) < 10 "
        f"THEN TRY_CAST({text} AS {REST}) - ({value})::{REST} "
        f"ELSE TRY_CAST({text} AS DECIMAL(38,28)) - ({value})::DECIMAL(38,28) END::{REST}"
    )
    return value, f"coalesce({rest}, 0)"
