"""Commands about what was decided, by whom, and the proof of it.

They read the ledger and what days have kept; they change nothing.
"""

from __future__ import annotations

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for, single_group
from finops_dagster.cli.output import envelope, print_json
from finops_dagster.defs.estate import Estate


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    audit = typer.Typer(help="What was decided, and proof of it.", no_args_is_help=True)
    audit.callback()(single_group)
    audit.command("verify")(audit_verify)
    app.add_typer(audit, name="audit")


@command("audit_verify")
def audit_verify(config: Config = None, as_json: AsJson = False) -> int:
    """Check the ledger's chain of hashes; exit code 1 if an entry was changed."""
    settings = settings_for(config)
    holds, wrong = Estate(settings).ledger.verify()
    if as_json:
        row = {"entries": holds, "intact": not wrong, "fault": wrong}
        print_json(envelope("audit_verify", [row], as_of=settings.decided_day()))
    else:
        typer.echo(wrong or f"{holds} entries, every hash holds.")
    return 1 if wrong else 0
