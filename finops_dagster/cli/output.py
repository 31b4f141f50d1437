"""How answers are printed: one JSON envelope for scripts, tables for people.

JSON goes alone to stdout, everything else to stderr or to a person's terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from pydantic import BaseModel
from rich.console import Console
from rich.table import Table
from rich.text import Text

from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault

_NUMERIC = ("cost", "saving", "rows", "kg", "seconds", "number", "share", "value")
"""How the names of columns end that hold numbers."""
_NARROWEST = 6
"""Characters of a column, its border included, below which nobody reads it."""


def plain(value: Any) -> Any:
    """A value as JSON has it: money as text, times as RFC 3339 UTC."""
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and value != value:
        return None
    if hasattr(value, "item"):
        return plain(value.item())
    return value


def envelope(
    name: str,
    items: Sequence[Any],
    *,
    as_of: date | None = None,
    run_id: str | None = None,
    abstained: Sequence[Abstained] = (),
    errors: Sequence[Fault] = (),
    **beside: Any,
) -> dict[str, Any]:
    """The promised answer of every `--json`; `beside` adds keys next to `items`."""
    return {
        "schema": f"finops.{name}/1",
        "as_of": as_of.isoformat() if as_of else None,
        "run_id": run_id,
        "items": plain(list(items)),
        "abstained": [one.model_dump() for one in abstained],
        "errors": [fault.model_dump() for fault in errors],
        **plain(beside),
    }


def print_json(document: Mapping[str, Any]) -> None:
    """Print one JSON document to stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")


def console() -> Console:
    """Where people read answers."""
    return Console(highlight=False)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table for people; text from bills and logs is shown as text, never as markup.

    One that has too many columns for the terminal is told row by row, a column a line.
    """
    if not rows:
        console().print(f"{title}: none", markup=False)
        return
    if len(columns) * _NARROWEST > console().width:
        _print_rows(title, columns, rows)
        return
    table = Table(title=Text(title), title_justify="left", header_style="bold", pad_edge=False)
    for column in columns:
        numeric = column.endswith(_NUMERIC)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    console().print(table)


def _cell(value: Any) -> Text:
    return Text("" if value is None else _printable(str(plain(value))))


def _printable(text: str) -> str:
    """Text from outside must not command the terminal, nor turn its lines around."""
    return "".join(one if one.isprintable() or one == "\n" else "\N{REPLACEMENT CHARACTER}"
                   for one in text)  # fmt: skip


def _print_rows(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    for number, row in enumerate(rows, 1):
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for column, value in zip(columns, row, strict=True):
            table.add_row(column, _cell(value))
        console().print(Text(f"{title}, row {number} of {len(rows)}", style="italic"))
        console().print(table)
        console().print()


def print_faults(message: str, faults: Sequence[Fault]) -> None:
    """An error for a person, with every place that needs mending, to stderr."""
    sys.stderr.write(f"{_printable(message)}\n")
    for fault in faults:
        sys.stderr.write(f"  {_printable(str(fault))}\n")
