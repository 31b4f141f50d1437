"""finops.yaml and the environment to Settings; every problem becomes a Fault that names its place.

What may be set is in `model`; the YAML itself is read in `marks`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_settings import SettingsError as SourceParseError

from finops_dagster.documents.marks import Location, Marked, dotted, read_marked
from finops_dagster.documents.typed import causes, models_in, section_of
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.settings.environment import (
    PREFIX,
    environment_config,
    hide_secrets,
    overriding_variable,
)
from finops_dagster.settings.model import CONFIG_NAME, SECRET_KEYS, SOURCE_GROUPS, Settings

_FILES = ("allocation", "policies", "privacy", "focus_rules")
_FILES_WITHIN = (("currencies", "rates"), ("sizing", "machine_types"))
ENVIRONMENT = "environment"
"""Stands where a Fault names its file when the value came from a variable."""


def find_config(explicit: Path | None, cwd: Path) -> Path | None:
    """The settings file in force: the one given, else FINOPS_CONFIG's, else ./finops.yaml.

    None when there is none. One that is named but absent is returned, so that `load` says so.
    """
    named = explicit or environment_config()
    if named is not None:
        return (cwd / named.expanduser()).resolve()
    found = cwd / CONFIG_NAME
    return found.resolve() if found.is_file() else None


def load(path: Path, *, check_paths: bool = True) -> Settings:
    """Read `path`, let FINOPS_ variables override its keys, and resolve relative paths.

    Paths are taken from the folder of `path`, wherever the command is called from. With
    `check_paths`, sources, policies and a local repository must exist. Raises SettingsError
    with one Fault for each problem: file, line (`row`), key (`column`), expected, what to do.
    """
    file = str(path)
    marked = read_marked(_text(path), file)
    for key, variable in SECRET_KEYS.items():
        if key not in marked.data:
            continue
        fault = Fault(
            code="secret_in_file",
            file=file,
            row=marked.line((key,)),
            column=key,
            expected="Expected no secret in the file, found one.",
            hint="Remove the line, take another secret if the file was shared, and set "
            f"{variable} in the environment.",
        )
        raise SettingsError(f"{file} holds a secret", (fault,))
    try:
        settings = Settings(**marked.data)
    except ValidationError as error:
        faults = tuple(_fault(detail, marked, file) for detail in causes(error.errors()))
        raise SettingsError(f"{file} cannot be used: {len(faults)} to mend", faults) from error
    except SourceParseError as error:
        raise SettingsError("The environment cannot be used", (_json_fault(error),)) from error
    settings = _resolved(settings, path.resolve().parent)
    if check_paths:
        missing = tuple(_missing(settings, marked, file))
        if missing:
            raise SettingsError(f"{file} names what is not there", missing)
    return settings


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        found, hint = "no such file", "Write one with `finops init`, or name it with --config."
    except IsADirectoryError:
        found, hint = "a directory", f"Name the file in it, such as {path / CONFIG_NAME}."
    except PermissionError:
        found, hint = "one that may not be read", "Give yourself permission to read it."
    except UnicodeDecodeError:
        found, hint = "bytes that are no UTF-8 text", "Save the file as plain UTF-8 text."
    fault = Fault(
        code="unreadable_settings",
        file=str(path),
        expected=f"Expected a settings file, found {found}.",
        hint=hint,
    )
    raise SettingsError(f"{path} cannot be read: {found}", (fault,))


def _fault(detail: Any, marked: Marked, file: str) -> Fault:
    location: Location = tuple(detail["loc"])
    key = dotted(location)
    variable = overriding_variable(tuple(str(part) for part in location))
    place: dict[str, Any] = (
        {"file": ENVIRONMENT, "column": variable}
        if variable
        else {"file": file, "row": marked.line(location), "column": key or None}
    )
    if detail["type"] == "extra_forbidden":
        expected, hint = f"Expected a known key, found `{key}`.", _nearest(location)
        return Fault(code="unknown_key", expected=expected, hint=hint, **place)
    if detail["type"] == "missing":
        return Fault(
            code="missing_key",
            expected=f"Expected the key `{key}`, found none.",
            hint=f"Add it: {_description(location)}",
            **place,
        )
    message = detail["msg"].removeprefix("Value error, ").removeprefix("Input should be ")
    found = "" if isinstance(detail["input"], dict | BaseModel) else _shown(detail["input"])
    return Fault(
        code="bad_value",
        expected=f"Expected: {message}{f'; found {found}' if found else ''}.",
        hint=f"Set `{key}`: {_description(location)}" if key else "Change one of them.",
        **place,
    )


def _shown(value: Any) -> str:
    text = hide_secrets(repr(value))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _json_fault(error: SourceParseError) -> Fault:
    name = next((f for f in Settings.model_fields if f'"{f}"' in str(error)), "")
    return Fault(
        code="bad_value",
        file=ENVIRONMENT,
        column=f"{PREFIX}{name.upper()}",
        expected=f"Expected JSON for `{name}`, found text that is none.",
        hint=f"""Write a list or a mapping, such as '["a", "b"]': {_description((name,))}""",
    )


def _description(location: Location) -> str:
    names = [part for part in location if isinstance(part, str)]
    field = section_of(Settings, location).model_fields.get(names[-1]) if names else None
    return field.description or "" if field is not None else "see docs/settings.md."


def _nearest(location: Location) -> str:
    name = str(location[-1])
    fields = section_of(Settings, location).model_fields
    known = [field for field in fields if field not in SECRET_KEYS]
    near = difflib.get_close_matches(name, known, n=1)
    if near:
        return f"Did you mean `{near[0]}`?"
    for section, info in Settings.model_fields.items():
        for model in models_in(info.annotation):
            if name in model.model_fields:
                return f"`{name}` belongs under `{section}`."
    return f"Known here: {', '.join(known)}."


def _resolved(settings: Settings, folder: Path) -> Settings:
    def absolute(path: Path) -> Path:
        return (folder / path.expanduser()).resolve()

    def placed(path: Path | str) -> Path | str:
        return absolute(path) if isinstance(path, Path) else path

    update: dict[str, Any] = {"state_dir": absolute(settings.state_dir)}
    for group in SOURCE_GROUPS:
        update[group] = tuple(
            source.model_copy(update={"path": placed(source.path)})
            for source in getattr(settings, group)
        )
    for name in _FILES:
        if (named := getattr(settings, name)) is not None:
            update[name] = absolute(named)
    for name, key in _FILES_WITHIN:
        section = getattr(settings, name)
        if (named := getattr(section, key)) is not None:
            update[name] = section.model_copy(update={key: absolute(named)})
    beside = tuple(
        one.model_copy(
            update={
                "path": absolute(one.path),
                "parameters": absolute(one.parameters) if one.parameters is not None else None,
            }
        )
        for one in settings.policy.beside
    )
    update["policy"] = settings.policy.model_copy(update={"beside": beside})
    desired = settings.desired_state
    if desired is not None and desired.forge == "local":
        repository = str(absolute(Path(desired.repository)))
        update["desired_state"] = desired.model_copy(update={"repository": repository})
    return settings.in_folder(folder, update)


def named_paths(settings: Settings) -> Iterator[tuple[Location, Path]]:
    """Every path that must exist, with the key that names it: sources, policies, local forge.

    Of a source that is reached by URL only its server can say.
    """
    for group in SOURCE_GROUPS:
        for position, source in enumerate(getattr(settings, group)):
            if isinstance(source.path, Path):
                yield (group, position, "path"), source.path
    for name in _FILES:
        if (named := getattr(settings, name)) is not None:
            yield (name,), named
    for name, key in _FILES_WITHIN:
        if (named := getattr(getattr(settings, name), key)) is not None:
            yield (name, key), named
    for position, one in enumerate(settings.policy.beside):
        yield ("policy", "beside", position, "path"), one.path
        if one.parameters is not None:
            yield ("policy", "beside", position, "parameters"), one.parameters
    desired = settings.desired_state
    if desired is not None and desired.forge == "local":
        yield ("desired_state", "repository"), Path(desired.repository)


def _missing(settings: Settings, marked: Marked, file: str) -> Iterator[Fault]:
    for location, path in named_paths(settings):
        if not path.exists():
            key = dotted(location)
            variable = overriding_variable(tuple(str(part) for part in location))
            place: dict[str, Any] = (
                {"file": ENVIRONMENT, "column": variable}
                if variable
                else {"file": file, "row": marked.line(location), "column": key}
            )
            yield Fault(
                code="missing_path",
                expected=f"Expected a file or directory, found nothing at {path}.",
                hint=f"Correct `{key}` (paths start from the settings file's folder), "
                "or put the data there.",
                **place,
            )
