"""The commands that run the loop and set it up.

Lists and tools live in their own modules; printing in output.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from finops_dagster.cli import (
    ai,
    audit,
    costs,
    dashboard,
    findings,
    focus,
    forecasts,
    incidents,
    lists,
    policy,
    showback,
    tools,
    why,
)
from finops_dagster.cli.common import (
    DEMO_DAYS,
    DEMO_FOLDER,
    DEMO_SEED,
    AsJson,
    AsOf,
    Config,
    command,
    settings_for,
)
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.settings import find_config, telemetry_off

app = typer.Typer(
    name="finops",
    help="From cloud bill to reviewed GitOps pull request, and back to the saving it promised.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
findings.register(app)
lists.register(app)
forecasts.register(app)
incidents.register(app)
costs.register(app)
showback.register(app)
tools.register(app)
policy.register(app)
audit.register(app)
dashboard.register(app)
why.register(app)
ai.register(app)
focus.register(app)


@app.command("run")
@command("run")
def run_command(
    config: Config = None,
    as_of: AsOf = None,
    act: Annotated[
        bool | None, typer.Option("--act/--no-act", help="Overrides `act` of the settings.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and report; touch no repository.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Run the whole loop for one day: bill in, pull requests out."""
    from finops_dagster import runner
    from finops_dagster.cli import summary

    if find_config(config, Path.cwd()) is None:
        _make_demo()
    settings = settings_for(config)
    change: dict[str, object] = {}
    if as_of is not None:
        change["as_of"] = as_of.date()
    if dry_run:
        change["act"] = False
    elif act is not None:
        change["act"] = act
    settings = settings.model_copy(update=change)
    outcome = runner.run(settings)
    if as_json:
        print_json(summary.document(settings, outcome))
    else:
        summary.show(settings, outcome)
    return outcome.exit_code


def _make_demo() -> None:
    """Make the demo estate in the current folder; one that is there is left as it is.

    State that belongs to an estate that was replaced goes with it.
    """
    from finops_dagster import demo

    def say(text: str) -> None:
        sys.stderr.write(f"  {text}\n")

    sys.stderr.write(f"No finops.yaml here: using the demo estate in {DEMO_FOLDER}/\n")
    if demo.create(DEMO_FOLDER, seed=DEMO_SEED, days=DEMO_DAYS, progress=say).created:
        shutil.rmtree(DEMO_FOLDER / ".finops", ignore_errors=True)


@app.command("init")
@command("init")
def init_command(
    path: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("finops.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
) -> int:
    """Write a commented finops.yaml to fill in."""
    from finops_dagster import setup

    setup.init(path, force=force)
    sys.stdout.write(f"Wrote {path}. Fill in the paths, then run `finops doctor`.\n")
    return 0


@app.command("doctor")
@command("doctor")
def doctor_command(
    config: Config = None,
    forge: Annotated[
        bool, typer.Option("--forge", help="Only the token's rights and the branch's protection.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Check settings, paths, versions, credentials and reachability; say what to mend."""
    from finops_dagster.cli.checking import checks

    found = checks(settings_for(config, check_paths=False), forge=forge)
    if as_json:
        print_json(envelope("doctor", [vars(check) for check in found]))
    else:
        print_table(
            "doctor",
            ("check", "result", "detail", "what to do"),
            [(c.name, c.result, c.detail, c.fix) for c in found],
        )
    return 2 if any(check.result == "fail" for check in found) else 0


@app.command("ui")
@command("ui")
def ui_command(
    config: Config = None,
    port: Annotated[int, typer.Option(help="Port of the web server.")] = 3000,
) -> int:
    """Open the Dagster UI of the estate, with its daemon; Ctrl-C ends both."""
    from finops_dagster.cli.ui import serve

    settings = settings_for(config)
    return serve(settings, find_config(config, Path.cwd()) or DEMO_FOLDER / "finops.yaml", port)


def main() -> None:
    """Entry point of the `finops` script."""
    telemetry_off()
    app()
