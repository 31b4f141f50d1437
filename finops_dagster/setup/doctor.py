"""Checks of one estate's settings against the world: machine, data, policies, repository.

What is wrong with the settings file itself is told by `settings.load`; here it has loaded.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from finops_dagster.documents.marks import dotted
from finops_dagster.domain.decisions import Rung
from finops_dagster.domain.errors import FinopsError, SettingsError
from finops_dagster.settings.desired_state import DesiredStateSettings
from finops_dagster.settings.environment import child_environment, unknown_variables
from finops_dagster.settings.keys import revealed_key
from finops_dagster.settings.model import SOURCE_GROUPS, Settings
from finops_dagster.settings.reading import named_paths
from finops_dagster.setup.checks import Check, Outcome, Probes, fail, ok, warn
from finops_dagster.setup.repository import check_github, check_local

if TYPE_CHECKING:
    from github.Auth import Auth

_PYTHON = (3, 11)
_PACKAGES = ("dagster", "dbt-core", "dbt-duckdb", "duckdb")
_SPACE_FAIL_BYTES = 200 * 2**20
_SPACE_WARN_BYTES = 2 * 2**30
"""A year of a mid-sized estate takes a few hundred MB; a write that fails half-way is re-run."""


def doctor(settings: Settings, probes: Probes) -> list[Check]:
    """Every check, in the order in which to mend what fails. Changes nothing in the estate."""
    return [
        *_machine(),
        *_environment(),
        *_state(settings.state_dir),
        *_paths(settings),
        *_deliveries(settings, probes),
        *_joins(settings),
        *_allocation(settings, probes),
        _policies(probes),
        *_desired_state(settings, probes),
        ok("schedule", f"{settings.schedule} (UTC)"),
    ]


def _machine() -> Iterator[Check]:
    here = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] == _PYTHON:
        yield ok("python", here)
    else:
        wanted = ".".join(str(part) for part in _PYTHON)
        yield fail("python", here, f"Run with Python {wanted}: `make install` makes the .venv.")
    yield _tool("git", ["git", "--version"], "Install git and put it on PATH.")
    for package in _PACKAGES:
        try:
            yield ok(package, version(package))
        except PackageNotFoundError:
            yield fail(package, "not installed", "Run `make install`.")
    path = child_environment()["PATH"]
    if shutil.which("dbt", path=path) is None:
        yield fail("dbt command", "not on PATH", "Run `make install`, and start from its .venv.")


def _tool(name: str, command: list[str], fix: str) -> Check:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    except (OSError, subprocess.SubprocessError) as error:
        return fail(name, f"does not run: {type(error).__name__}", fix)
    return ok(name, done.stdout.strip())


def _environment() -> Iterator[Check]:
    for name, near in unknown_variables(frozenset(Settings.model_fields)).items():
        fix = f"Did you mean {near}?" if near else "Unset it, or see docs/settings.md."
        yield warn(name, "is set, and sets nothing", fix)


def _state(state: Path) -> Iterator[Check]:
    name = "state_dir"
    existing = next(folder for folder in (state, *state.parents) if folder.exists())
    if not existing.is_dir():
        yield fail(name, f"{existing} is a file", "Name a directory in `state_dir`.")
        return
    if not os.access(existing, os.W_OK | os.X_OK):
        yield fail(name, f"{existing} may not be written", "Give permission, or name another.")
        return
    free = shutil.disk_usage(existing).free
    detail = f"{state}, {free / 2**30:.1f} GiB free"
    fix = "Make room on this disk, or name a `state_dir` on another."
    if free < _SPACE_FAIL_BYTES:
        yield fail(name, detail, fix)
    elif free < _SPACE_WARN_BYTES:
        yield warn(name, detail, fix)
    else:
        yield ok(name, detail)


def _paths(settings: Settings) -> Iterator[Check]:
    for location, path in named_paths(settings):
        name = dotted(location)
        if not path.exists():
            yield fail(name, f"nothing at {path}", f"Correct `{name}`, or put the data there.")
        elif not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
            yield fail(name, f"{path} may not be read", "Give yourself permission to read it.")
        elif path.is_dir() and not any(path.iterdir()):
            yield warn(name, f"{path} is empty", "Put the export there.")
        else:
            yield ok(name, str(path))


def _deliveries(settings: Settings, probes: Probes) -> Iterator[Check]:
    for group in SOURCE_GROUPS:
        for source in getattr(settings, group):
            if isinstance(source.path, Path) and not source.path.exists():
                continue
            name = f"{group} {source.name}"
            try:
                count = probes.deliveries(group, source.name)
            except FinopsError as error:
                yield fail(name, error.message, _hint(error, "Look at the files named."))
                continue
            if count == 0:
                yield warn(name, "no delivery found", "See docs/your-own-data.md for the layout.")
            else:
                yield ok(name, f"{count} {'delivery' if count == 1 else 'deliveries'}")


def _joins(settings: Settings) -> Iterator[Check]:
    if settings.carbon and not settings.clusters:
        yield warn(
            "clusters",
            "carbon is delivered, but no cluster has a region",
            "Name each cluster's cloud region under `clusters`.",
        )
    if settings.models and not settings.predictions:
        yield warn("models", "models without a prediction log", "Name it under `predictions`.")
    if settings.predictions and not settings.models:
        yield warn("models", "a prediction log without models", "Describe them under `models`.")
    if not settings.telemetry:
        yield warn(
            "telemetry",
            "none: nothing can be sized or called idle",
            "Name an export of measurements under `telemetry`.",
        )


def _allocation(settings: Settings, probes: Probes) -> Iterator[Check]:
    if settings.allocation is None or not settings.allocation.exists():
        return
    name = "allocation file"
    try:
        yield ok(name, probes.allocation())
    except FinopsError as error:
        yield fail(name, error.message, _hint(error, "See docs/allocation.md."))


def _policies(probes: Probes) -> Check:
    try:
        return ok("policies", probes.policies())
    except FinopsError as error:
        return fail("policies", error.message, _hint(error, "Mend the bundle."))


def _desired_state(settings: Settings, probes: Probes) -> Iterator[Check]:
    desired = settings.desired_state
    if desired is None:
        fix = "Describe the repository under `desired_state`."
        yield warn("desired_state", "none: nothing can be proposed", fix)
        return
    if settings.act and settings.autonomy is Rung.OBSERVE:
        yield warn("act", "act is true, but autonomy is observe", "Set `autonomy: propose`.")
    if desired.forge == "local":
        found, files = check_local(Path(desired.repository), desired.branch)
    else:
        try:
            auth = _github_auth(settings, desired)
        except SettingsError as error:
            yield fail("github app", error.message, _hint(error, "See docs/github.md."))
            return
        found, files = check_github(
            desired.api_url, desired.repository, desired.branch, auth, acts=settings.act
        )
    yield from found
    if any(check.result is Outcome.FAIL for check in found):
        return
    if not desired.allowed_paths:
        yield warn(
            "allowed_paths",
            "none: no file may be edited",
            'Name globs under `desired_state.allowed_paths`, such as "apps/**/*.yaml".',
        )
    for glob in desired.allowed_paths:
        count = sum(probes.may_edit(file, [glob]) for file in files)
        name = f"allowed_paths {glob}"
        if count == 0:
            yield warn(name, "matches no file on the branch", "Correct the glob.")
        else:
            yield ok(name, f"{count} file{'' if count == 1 else 's'}")


def _github_auth(settings: Settings, desired: DesiredStateSettings) -> Auth | None:
    """Who asks GitHub; None where no secret is set. Raises SettingsError."""
    from github import Auth

    if desired.app_id is None or desired.installation_id is None:
        token = settings.github_token
        return Auth.Token(token.get_secret_value()) if token is not None else None
    key = revealed_key(
        settings.github_app_key, settings.github_app_key_file, "FINOPS_GITHUB_APP_KEY"
    )
    if key is None:
        return None
    return Auth.AppAuth(desired.app_id, key).get_installation_auth(desired.installation_id)


def _hint(error: FinopsError, otherwise: str) -> str:
    return str(error.faults[0]) if error.faults else otherwise
