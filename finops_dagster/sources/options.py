"""What a source's `options` say to its format: checked, and part of what a delivery is.

Which options there are is the format's business.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.ids import content_id
from finops_dagster.sources.views import Format


class Options(BaseModel):
    """Base of a format's options: its fields are the keys, a `Path` names a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Configurable:
    """A format that a source's options make."""

    options: type[Options]
    make: Callable[[Any], Format]
    """From an instance of `options`."""
    documents: bool = False
    """Whether its rows come in whole JSON documents too (`.json`), not one a line alone."""
    asker: Callable[[Any, Any, Mapping[str, str]], Any] | None = None
    """Makes an `extraction.Asker` from an `Api`, an instance of `options` and the secrets, where
    there is an API to ask."""


@dataclass(frozen=True)
class Terms:
    """What decides what rows become beside the rows: options, and the files they name."""

    options: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()

    def digest(self, hash_of: Callable[[Path], str]) -> str:
        """Changes with every option and with the bytes of every file; empty without any."""
        if not self.options and not self.files:
            return ""
        bytes_of = [hash_of(path) for path in self.files]
        named = {str(path) for path in self.files}
        said = {name: value for name, value in self.options.items() if value not in named}
        return content_id("terms", {"options": said, "files": bytes_of})

    def known_at(self) -> datetime | None:
        """When the newest of the files was written."""
        newest = max((path.stat().st_mtime_ns for path in self.files), default=None)
        if newest is None:
            return None
        return datetime.fromtimestamp(newest // 1000 / 1_000_000, tz=UTC)


def configured(
    entry: Configurable, name: str, given: Mapping[str, str], folder: Path
) -> tuple[Format, Terms]:
    """The format of a source, `name` as people find it, and its terms. Paths start from `folder`.

    Raises SettingsError with a fault for each option that is unknown, missing or wrong.
    """
    values: dict[str, str] = dict(given)
    for option, info in _known(entry).items():
        if option in values and info.annotation in (Path, Path | None):
            values[option] = str((folder / Path(values[option]).expanduser()).resolve())
    try:
        options = entry.options.model_validate(values)
    except ValidationError as error:
        faults = tuple(_fault(entry, name, dict(one)) for one in error.errors(include_url=False))
        raise _refused(name, faults) from error
    files = {
        option: value
        for option, value in options.model_dump(by_alias=True).items()
        if isinstance(value, Path)
    }
    missing = tuple(
        _option_fault(name, option, f"a file; nothing is at {path}", "Correct the path, or put it.")
        for option, path in files.items()
        if not path.is_file()
    )
    if missing:
        raise _refused(name, missing)
    return entry.make(options), Terms(values, tuple(files.values()))


def without_options(name: str, format_name: str, given: Mapping[str, str]) -> None:
    """Raises SettingsError if a source of a format without options has any."""
    if given:
        raise _refused(
            name,
            tuple(
                _option_fault(name, option, f"no options: {format_name} has none", "Take it out.")
                for option in given
            ),
        )


def _known(entry: Configurable) -> dict[str, FieldInfo]:
    """Options by the names that people write."""
    return {info.alias or name: info for name, info in entry.options.model_fields.items()}


def _refused(name: str, faults: tuple[Fault, ...]) -> SettingsError:
    what = " ".join(fault.expected for fault in faults)
    return SettingsError(f"The options of {name.rpartition(' ')[2]} cannot be used. {what}", faults)


def _fault(entry: Configurable, name: str, error: dict[str, Any]) -> Fault:
    option = str(error["loc"][0]) if error["loc"] else "options"
    known = ", ".join(_known(entry))
    if error["type"] == "extra_forbidden":
        return _option_fault(name, option, f"one of {known}", "Correct or take out the option.")
    info = _known(entry).get(option)
    meaning = (info.description or "") if info else ""
    found = "none was given" if error["type"] == "missing" else f"found {error['input']!r}"
    return _option_fault(name, option, f"{meaning} ({found}: {error['msg']})", "Set the option.")


def _option_fault(name: str, option: str, expected: str, hint: str) -> Fault:
    return Fault(
        code="option",
        column=f"{name}: options.{option}",
        expected=f"Expected {expected}.",
        hint=hint,
    )
