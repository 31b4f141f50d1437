"""What every command needs: the options they share, the settings, and errors turned to exit codes.

No command lives here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from finops_dagster.cli.output import envelope, print_faults, print_json
from finops_dagster.domain.errors import Fault, FinopsError, SettingsError
from finops_dagster.settings import Settings, find_config, hide_secrets, load

DEMO_FOLDER = Path("demo_estate")
"""Where the demo estate lives, in the current folder."""
DEMO_SEED = 7
DEMO_DAYS = 395
"""A year, and the month that its first is compared with."""

Config = Annotated[
    Path | None,
    typer.Option("--config", help="finops.yaml; without it ./finops.yaml, else the demo's."),
]
AsOf = Annotated[
    datetime | None,
    typer.Option("--as-of", formats=["%Y-%m-%d"], help="Day decided for, YYYY-MM-DD."),
]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def settings_for(config: Path | None, *, check_paths: bool = True) -> Settings:
    """Settings of the estate that a command is about. Raises SettingsError."""
    found = find_config(config, Path.cwd())
    if found is None:
        demo = DEMO_FOLDER / "finops.yaml"
        if not demo.exists():
            raise SettingsError(
                "There is no finops.yaml here and no demo estate yet.",
                (
                    Fault(
                        code="no_settings",
                        file="finops.yaml",
                        expected="Expected settings or a demo estate, found neither.",
                        hint="Run `finops run` for the demo, or `finops init` for your own.",
                    ),
                ),
            )
        found = demo
    return load(found, check_paths=check_paths)


def day_of(settings: Settings, as_of: datetime | None) -> date:
    """The day a command is about: its option, else the day decided for."""
    return as_of.date() if as_of is not None else settings.decided_day()


def command(name: str) -> Callable[[Callable[..., int | None]], Callable[..., None]]:
    """Wrap a command: its faults become a clear message or an envelope, and an exit code."""

    def wrap(function: Callable[..., int | None]) -> Callable[..., None]:
        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> None:
            try:
                code = function(*args, **kwargs)
            except FinopsError as error:
                message = hide_secrets(error.message)
                faults = tuple(_masked(fault) for fault in error.faults)
                if kwargs.get("as_json"):
                    told = faults or (
                        Fault(code=type(error).__name__.lower(), expected=message, hint=""),
                    )
                    print_json(envelope(name, [], errors=told))
                print_faults(message, faults)
                raise typer.Exit(error.exit_code) from error
            raise typer.Exit(code or 0)

        return called

    return wrap


def _masked(fault: Fault) -> Fault:
    told = {"file": fault.file, "expected": fault.expected, "hint": fault.hint}
    return fault.model_copy(
        update={name: hide_secrets(text) for name, text in told.items() if text is not None}
    )


def single_group() -> None:
    """Keep the group's own name where it has a single command."""


def is_bare(path: Path) -> bool:
    """Whether `path` is a bare Git repository."""
    return (path / "HEAD").exists() and (path / "objects").exists()
