"""Commands about what was decided, by whom, and the proof of it.

They read the ledger and what days have kept; they change nothing.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for, single_group
from finops_dagster.cli.output import console, envelope, print_json
from finops_dagster.defs.estate import Estate
from finops_dagster.storage.audit import verify


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    audit = typer.Typer(help="What was decided, and proof of it.", no_args_is_help=True)
    audit.callback()(single_group)
    audit.command("verify")(audit_verify)
    app.add_typer(audit, name="audit")


@command("audit_verify")
def audit_verify(
    forge: Annotated[
        bool, typer.Option("--forge", help="Check also what pull requests bear witness to.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Prove that nothing of the ledger was changed or removed; exit code 1 if something was."""
    settings = settings_for(config)
    estate = Estate(settings)
    witnesses = (
        {f"#{one.number}": one.ledger for one in estate.forge().pull_requests() if one.ledger}
        if forge
        else None
    )
    found = verify(estate.ledger, witnesses)
    fault = str(found.broken) if found.broken is not None else None
    if as_json:
        row = {
            "entries": found.entries,
            "intact": fault is None,
            "fault": fault,
            "broken": asdict(found.broken) if found.broken is not None else None,
            "head": found.head,
            "witnesses": found.witnesses if forge else None,
            "notes": found.notes,
        }
        print_json(envelope("audit_verify", [row], as_of=settings.decided_day()))
        return 1 if fault else 0
    lines = [f"The first broken link: {fault}."] if fault else []
    lines += [f"{found.entries} entries, every hash holds." if not fault else
              f"{found.entries} entries before it hold."]  # fmt: skip
    if forge:
        lines.append(f"{found.witnesses} pull requests bear witness to what is there.")
    for line in (*lines, *found.notes):
        console().print(line, markup=False)
    return 1 if fault else 0
