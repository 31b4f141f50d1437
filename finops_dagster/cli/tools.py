"""Commands that work on one thing at a time: the demo, a repository, the ledger of costs.

Each calls one package and prints its answer.
"""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from finops_dagster.cli.common import (
    DEMO_DAYS,
    DEMO_FOLDER,
    DEMO_SEED,
    AsJson,
    Config,
    command,
    is_bare,
    settings_for,
    single_group,
)
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.defs.estate import Estate


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    demo = typer.Typer(help="The simulated estate.", no_args_is_help=True)
    demo.command("create")(demo_create)
    demo.command("advance")(demo_advance)
    demo.command("openmetrics")(demo_openmetrics)
    app.add_typer(demo, name="demo")
    state = typer.Typer(help="What a GitOps repository declares.", no_args_is_help=True)
    state.command("index")(index_command)
    state.command("set")(set_command)
    app.add_typer(state, name="desired-state")
    ledger = typer.Typer(help="What was billed and what became of it.", no_args_is_help=True)
    ledger.callback()(single_group)
    ledger.command("conserve")(ledger_conserve)
    app.add_typer(ledger, name="ledger")


def _say(text: str) -> None:
    typer.echo(f"  {text}", err=True)


@command("demo")
def demo_create(
    seed: Annotated[int, typer.Option(help="Another seed, another company.")] = DEMO_SEED,
    days: Annotated[int, typer.Option(help="Days of history.")] = DEMO_DAYS,
    out: Annotated[Path, typer.Option(help="Folder to write it to.")] = DEMO_FOLDER,
    as_json: AsJson = False,
) -> int:
    """Make the simulated estate, with its bills, telemetry, models and repository."""
    from finops_dagster import demo

    made = demo.create(out, seed, days, progress=_say)
    if made.created:
        shutil.rmtree(out / ".finops", ignore_errors=True)
    return _print_demo(made, as_json)


@command("demo")
def demo_advance(
    days: Annotated[int, typer.Option(help="Days to live on.")],
    out: Annotated[Path, typer.Option(help="Folder of the estate.")] = DEMO_FOLDER,
    as_json: AsJson = False,
) -> int:
    """Let the simulated estate live on; what was merged changes what comes."""
    from finops_dagster import demo

    return _print_demo(demo.advance(out, days, progress=_say), as_json)


@command("demo_openmetrics")
def demo_openmetrics(
    days: Annotated[int, typer.Option(help="Days, of which the last is the estate's last.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    estate: Annotated[Path, typer.Option(help="Folder of the estate.")] = DEMO_FOLDER,
    copies: Annotated[int, typer.Option(help="Write the estate so many times over.")] = 1,
    scrape_seconds: Annotated[int, typer.Option(help="Between samples; divides 300.")] = 300,
    as_json: AsJson = False,
) -> int:
    """Write what the estate's exporters show, as OpenMetrics text for a Prometheus."""
    from finops_dagster import demo

    made = demo.expose(estate, out, days, copies, scrape_seconds)
    row = asdict(made) | {"path": str(made.path)}
    if as_json:
        print_json(envelope("demo_openmetrics", [row], as_of=made.as_of))
    else:
        print_table("OpenMetrics", ("what", "value"), list(row.items()))
    return 0


def _print_demo(summary: Any, as_json: bool) -> int:
    row = asdict(summary) | {"path": str(summary.path)}
    if as_json:
        print_json(envelope("demo", [row], as_of=summary.as_of))
    else:
        print_table("demo estate", ("what", "value"), list(row.items()))
    return 0


@command("desired_state_index")
def index_command(
    repository: Annotated[Path, typer.Argument(help="Git repository or folder.")],
    commit: Annotated[str | None, typer.Option(help="Commit; without it HEAD.")] = None,
    as_json: AsJson = False,
) -> int:
    """Every value of every declared resource, and the bytes that own it."""
    index = _opened(repository, commit)
    items = [location.model_dump() for location in index.locations()]
    if as_json:
        refused = [{"file": file, "reason": reason} for file, reason in index.refused().items()]
        print_json(envelope("desired_state_index", items, commit=index.commit, refused=refused))
        return 0
    print_table(
        f"{repository} {index.commit[:12]}",
        ("resource", "field", "value", "file", "editable", "reason"),
        [
            (i["resource"], i["field"], i["value"], i["file"], i["editable"], i["reason"])
            for i in items
        ],
    )
    return 0


def _opened(repository: Path, commit: str | None) -> Any:
    from finops_dagster.desired_state import open_directory, open_repository

    if commit is not None or is_bare(repository):
        return open_repository(repository, commit)
    return open_directory(repository)


@command("desired_state_set")
def set_command(
    repository: Annotated[Path, typer.Argument(help="Folder with the files.")],
    resource: Annotated[str, typer.Option(help="KIND/NAMESPACE/NAME or KIND/NAME.")],
    field: Annotated[str, typer.Option(help="Path of the value, as the index prints it.")],
    value: Annotated[str, typer.Option(help="The new value.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only print the diff.")] = False,
    as_json: AsJson = False,
) -> int:
    """Set one value and touch no other byte; prints the diff."""
    from finops_dagster.desired_state import open_directory
    from finops_dagster.gitops.working_tree import set_value

    diff = set_value(repository, resource, field, value, open_index=open_directory, dry_run=dry_run)
    if as_json:
        row = {"resource": resource, "field": field, "value": value, "diff": diff}
        print_json(envelope("desired_state_set", [row], written=not dry_run))
    else:
        typer.echo(diff, nl=False)
    return 0


@command("ledger_conserve")
def ledger_conserve(config: Config = None, as_json: AsJson = False) -> int:
    """Every sum of money from the files to the marts; exit code 1 if one differs."""
    from finops_dagster.defs.conservation import conserved

    settings = settings_for(config)
    rows = conserved(Estate(settings))
    if as_json:
        print_json(envelope("ledger_conserve", rows, as_of=settings.decided_day()))
    else:
        print_table(
            "conservation", list(rows[0]) if rows else ["none"], [list(r.values()) for r in rows]
        )
    return 1 if any(row["difference"] for row in rows) else 0
