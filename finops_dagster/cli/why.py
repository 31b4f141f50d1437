"""`finops why`: the story of one change on one page.

What belongs to it is found in defs/story.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.output import console, envelope, plain, print_json
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import Abstained
from finops_dagster.settings import hide_secrets

_LINES = 12
"""Lines of a list or a diff that a page shows; --json has all."""
_ROWS = 3
_CLAUSES = {"not_if": "not proposed if {}"}
"""Lists whose items are clauses, a line each."""
_SHAPES = {
    "meters": "{effective_cost} {currency}: {provider_name}, {service_name}, {sku_meter} "
    "({charge_rows} rows on {days} days, from {source})",
    "rows": "{day}: {effective_cost} {currency}, {sku_meter}, row {row_number} of {file}",
    "edits": "{file}: {before} to {after}",
    "entries": "{sequence} {kind} {id} {hash}",
}
"""How the items of a list are told, a line each."""
_TOLD = {"saving_per_month", "risk_in_14_days", "samples", "measured_share"}
"""What the step's sentence says already."""


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("why")(why_command)


@command("why")
def why_command(
    subject: Annotated[
        str,
        typer.Argument(
            help="Number of a pull request, KIND/NAMESPACE/NAME, or id of a proposal or finding."
        ),
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Tell the whole story of a change: charges, use, forecast, rules, verdict, approver."""
    from finops_dagster.defs.story import story

    settings = settings_for(config)
    told = story(Estate(settings), subject)
    missing = [hide_secrets(one) for one in told.missing]
    if as_json:
        print_json(
            envelope(
                "why",
                [asdict(one) for one in told.steps],
                as_of=settings.decided_day(),
                abstained=[Abstained(subject=subject, reason=one) for one in missing],
                subject=subject,
                others=told.others,
            )
        )
        return 0
    page = Table.grid(padding=(0, 2, 0, 0))
    page.add_column(style="bold", no_wrap=True)
    page.add_column(no_wrap=True)
    page.add_column(overflow="fold")
    for one in told.steps:
        at = one.at.strftime("%Y-%m-%d %H:%M") if isinstance(one.at, datetime) else one.at
        page.add_row(one.step, Text(str(at or "")), Text(one.what))
        for line in _lines(one.evidence):
            page.add_row("", "", Text(line, style="dim"))
    console().print(page)
    for reason in missing:
        console().print(f"Not told: {reason}.", markup=False)
    if told.others:
        console().print(f"Other proposals of it: {', '.join(told.others[-5:])}", markup=False)
    return 0


def _lines(evidence: Mapping[str, Any]) -> Iterator[str]:
    """Evidence as lines for people: short values together, lists and diffs below each other."""
    short: list[str] = []
    for name, value in evidence.items():
        if name in _TOLD or value in ("", None, [], (), {}):
            continue
        if name == "diff":
            changed = [one for one in str(value).splitlines() if one[:1] in "+-"]
            yield from _cut(changed)
        elif name in _CLAUSES:
            yield from _cut([_CLAUSES[name].format(one) for one in value])
        elif name in _SHAPES:
            shown = value[:_ROWS] if name == "rows" else value
            yield from _cut([_SHAPES[name].format(**_flat(one)) for one in shown])
        elif isinstance(value, Mapping):
            yield f"{_named(name)}: {_row(value)}"
        else:
            short.append(f"{_named(name)} {_value(value)}")
    if short:
        yield "; ".join(short)


def _cut(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _LINES
    return [*lines[:_LINES], *([f"  and {more} more (--json)"] if more > 0 else [])]


def _row(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{_named(name)} {_value(value)}" for name, value in values.items() if value is not None
    )


def _flat(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: _value(value) for name, value in values.items()}


def _named(name: str) -> str:
    return name.replace("_", " ")


def _value(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(one) for one in value)
    text = str(plain(value))
    # a hash is known by its beginning; a cost of 20 decimals by its first
    if len(text) == 64 and text.isalnum():
        return text[:12]
    whole, point, rest = text.partition(".")
    return f"{whole}.{rest[:4]}" if point and rest.isdecimal() and len(rest) > 4 else text
