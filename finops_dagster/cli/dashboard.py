"""Commands of the dashboard and the circuit breaker: what waits, what is stopped, what people say.

They write into the dashboard issue, as a person's tick does there; the next run acts on it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.output import console, envelope, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.errors import Fault, Stopped
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.pull_requests import Issue
from finops_dagster.gitops import dashboard
from finops_dagster.gitops.actions import Event
from finops_dagster.gitops.escaping import one_line
from finops_dagster.gitops.git_objects import Git
from finops_dagster.settings import Settings

_HIDDEN = re.compile(r" ?<!--[^<>]*-->")


class Box(StrEnum):
    """The boxes of one change."""

    OPEN = "open"
    SNOOZE = "snooze"
    REJECT = "reject"
    FORGET = "forget"


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    board = typer.Typer(help="The dashboard issue: what waits, and boxes to tick.")
    board.callback(invoke_without_command=True)(_dashboard)
    board.command("tick")(tick_command)
    board.command("reset")(reset_command)
    app.add_typer(board, name="dashboard")
    breaker = typer.Typer(help="The circuit breaker: what is stopped, and how to start it again.")
    breaker.callback(invoke_without_command=True)(_breaker)
    breaker.command("reset")(breaker_reset_command)
    app.add_typer(breaker, name="breaker")


def _dashboard(context: typer.Context, config: Config = None, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        dashboard_command(config=config, as_json=as_json)


def _breaker(context: typer.Context, config: Config = None, as_json: AsJson = False) -> None:
    if context.invoked_subcommand is None:
        breaker_command(config=config, as_json=as_json)


@command("dashboard")
def dashboard_command(config: Config = None, as_json: AsJson = False) -> int:
    """Show the dashboard issue."""
    settings = settings_for(config)
    issue = Estate(settings).forge().issue(dashboard.TOPIC)
    if as_json:
        print_json(_document("dashboard", settings, issue))
    elif issue is None:
        console().print("There is no dashboard issue yet: a run that acts writes it.")
    else:
        console().print(f"{issue.title}\n{issue.url}\n", markup=False)
        console().print(_HIDDEN.sub("", issue.body).strip(), markup=False, soft_wrap=True)
    return 0


@command("dashboard")
def tick_command(
    key: Annotated[str, typer.Argument(help="Of the change, as the dashboard shows it.")],
    box: Annotated[Box, typer.Argument(help="What to tick; forget: an earlier choice.")],
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Tick a box of a change; the next run does it."""
    return _ticked(settings_for(config), box.value, key, as_json)


@command("dashboard")
def reset_command(
    scope: Annotated[str, typer.Argument(help="all, kind:KIND, team:OWNER or value:KEY.")],
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Tick the box that resets the circuit breaker."""
    return _ticked(settings_for(config), "reset", scope, as_json)


@command("breaker")
def breaker_command(config: Config = None, as_json: AsJson = False) -> int:
    """List what the circuit breaker has stopped, since when and why."""
    settings = settings_for(config)
    issue = Estate(settings).forge().issue(dashboard.TOPIC)
    said = dashboard.read(issue.body if issue is not None else "")
    rows = [
        {"scope": one.scope, "at": one.at, "reason": one.reason, "reset": one.scope in said.reset}
        for one in said.trips
    ]
    if as_json:
        print_json(
            envelope("breaker", rows, as_of=settings.decided_day(), resets=dict(said.resets))
        )
        return 0
    print_table(
        "stopped",
        ("scope", "since", "why", "state"),
        [
            (row["scope"], f"{row['at']:%Y-%m-%d %H:%M}", row["reason"],
             "reset with the next run" if row["reset"] else "until a person resets it")
            for row in rows
        ],
    )  # fmt: skip
    if rows:
        console().print("`finops breaker reset SCOPE --reason TEXT` starts it again.")
    return 0


@command("breaker")
def breaker_reset_command(
    scope: Annotated[str, typer.Argument(help="all, kind:KIND, team:OWNER or value:KEY.")],
    reason: Annotated[str, typer.Option("--reason", help="Why it may go on; kept for audit.")],
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Start again what the breaker has stopped: only what comes from now on counts."""
    settings = settings_for(config)
    done = _ticked(settings, "reset", scope, as_json)
    now = datetime.now(UTC)
    event = Event(
        kind="human_decision", what="reset", key=scope, who=_user(), when=now, reason=reason
    )
    Estate(settings).ledger.append(event.kind, [(content_id(event.kind, event), event)], now)
    return done


def _ticked(settings: Settings, name: str, key: str, as_json: bool) -> int:
    forge = Estate(settings).forge()
    issue = forge.issue(dashboard.TOPIC)
    if issue is None:
        raise Stopped("There is no dashboard issue.", (
            Fault(
                code="no_dashboard", expected="An open dashboard issue was expected.",
                hint="`finops run --act` writes it where `pull_requests.dashboard` is on.",
            ),
        ))  # fmt: skip
    body = dashboard.ticked(issue.body, name, key)
    written = forge.write_issue(issue.topic, issue.title, body, replaces=issue.body)
    if as_json:
        print_json(_document("dashboard", settings, written))
    else:
        console().print(f"{name} {key}: ticked; the next run does it.", markup=False)
    return 0


def _document(name: str, settings: Settings, issue: Issue | None) -> dict[str, object]:
    said = dashboard.read(issue.body if issue is not None else "")
    row = {
        **(issue.model_dump() if issue is not None else {}),
        "choices": dict(said.choices),
        "remembered": [vars(one) for one in said.remembered],
        "trips": [vars(one) for one in said.trips],
        "reset": sorted(said.reset),
    }
    return envelope(name, [row] if issue is not None else [], as_of=settings.decided_day())


def _user() -> str:
    """Who works here, as git knows; empty where it does not."""
    code, out, _ = Git(Path.cwd()).attempt("config", "user.name")
    return one_line(out.decode(errors="replace"), 100) if code == 0 else ""
