"""`finops ai register`: every AI system, who answers for it, how it stands and what is missing.

What is in the register is decided in responsible_ai/governance; nothing is judged here.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command, settings_for
from finops_dagster.cli.lists import decided_day
from finops_dagster.cli.output import console, envelope, print_json, print_table
from finops_dagster.defs.estate import Estate


@command("ai_register")
def ai_register(
    as_of: AsOf = None,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Folder for index.html, register.json and register.csv."),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """All AI systems: owner, risk class, gate, open breaches, energy and what is missing."""
    from finops_dagster.defs.insight.models.registering import read_register
    from finops_dagster.responsible_ai.governance import export as exported
    from finops_dagster.responsible_ai.governance.pages import write_register

    day, _ = decided_day(config, as_of)
    estate = Estate(settings_for(config))
    register = read_register(estate, day)
    if export is not None:
        write_register(export, register.without_links())
        (export / "register.json").write_text(
            json.dumps(exported.document(register), ensure_ascii=False, indent=1) + "\n",
            encoding="utf-8",
        )
        (export / "register.csv").write_text(exported.table(register), encoding="utf-8")
    if as_json:
        print_json(envelope("ai_register", exported.rows(register), as_of=day))
        return 0
    print_table(
        f"AI systems on {day}",
        ("system", "kind", "owner", "risk class", "gate", "open breaches", "missing"),
        [
            (
                one.name,
                one.kind.value,
                one.owner,
                one.risk_class.value,
                one.gate.result if one.gate else "",
                "; ".join(
                    f"{each.breach.check.value.replace('_', ' ')} ({each.days} d)"
                    for each in one.breaches
                ),
                _first(one.missing),
            )
            for one in register.systems
        ],
    )
    if export is not None:
        console().print(f"Written to {export}: index.html, register.json, register.csv.")
    return 0


def _first(missing: Sequence[str]) -> str:
    """What is missing, without its articles, which the pages have; and how much more."""
    if not missing:
        return ""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return missing[0].split(" (")[0] + more
