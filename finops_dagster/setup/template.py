"""A commented finops.yaml, written from the settings model, so that the two are never out of step.

Which keys there are is the business of `settings`.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.settings.describing import Key, describe
from finops_dagster.settings.model import Settings

_WIDTH = 92

_HEADER = """\
# Settings of one estate. Check them with `finops doctor`.
# Words are written "# like this". A key written "#like: this" is off: its default holds.
# Take the # away to set it. Paths start from the folder of this file.
# FINOPS_ variables override keys: FINOPS_LIMITS__OPEN_PULL_REQUESTS=3. Secrets live only there.
"""


def init(path: Path, *, force: bool = False, billing: Path | None = None) -> str:
    """Write a commented settings file to `path` and return its text.

    `billing` fills in the export to read. Raises SettingsError when `path` exists and `force` is
    not given, or cannot be written.
    """
    text = render(billing)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        exists = isinstance(error, FileExistsError)
        fault = Fault(
            code="file_exists" if exists else "not_writable",
            file=str(path),
            expected="Expected no such file, found one."
            if exists
            else f"Expected a place to write to: {error.strerror}.",
            hint="Edit it, or write over it with --force."
            if exists
            else "Name another place, or give yourself permission.",
        )
        raise SettingsError(f"{path} was not written", (fault,)) from error
    return text


def render(billing: Path | None = None) -> str:
    """The text of a settings file with every key, its meaning, bounds and default."""
    blocks = [_HEADER]
    for key in _children(Settings):
        if key.secret:
            blocks.append(_comment(f"{key.name}: {key.description}", ""))
        elif key.name == "billing" and billing is not None:
            blocks.append("\n".join(_section(key, "", {"path": json.dumps(str(billing))})))
        else:
            blocks.append("\n".join(_lines(key, "", off=key.default is not None)))
    return "\n\n".join(block.rstrip("\n") for block in blocks) + "\n"


def _children(model: type[BaseModel]) -> Iterator[Key]:
    """The keys of `model` itself, without those of its sections."""
    return (key for key in describe(model) if "." not in key.path)


def _lines(key: Key, indent: str, *, off: bool) -> Iterator[str]:
    if key.section is not None:
        yield from _section(key, indent, {}, off=off)
        return
    yield _comment(_meaning(key), indent)
    yield f"{'#' if off else ''}{indent}{key.name}: {key.example or 'null'}"


def _section(key: Key, indent: str, values: dict[str, str], *, off: bool = False) -> Iterator[str]:
    assert key.section is not None
    yield _comment(_meaning(key), indent)
    mark = "#" if off else ""
    yield f"{mark}{indent}{key.name}:"
    inner = f"{indent}  "
    for position, child in enumerate(_children(key.section)):
        required = child.default is None
        if child.section is not None:
            within = f"{inner}{'  ' if key.is_list else ''}"
            yield from _section(child, within, {}, off=off or not required)
            continue
        lead = "- " if key.is_list and position == 0 else "  " if key.is_list else ""
        value = values.get(child.name) or key.entry.get(child.name) or child.example or "null"
        switch = "#" if off or not required else ""
        yield _comment(_meaning(child), f"{inner}{'  ' if key.is_list else ''}")
        yield f"{switch}{inner}{lead}{child.name}: {value}"


def _meaning(key: Key) -> str:
    facts = [key.kind] if key.section is None else []
    if key.bounds and not key.bounds.startswith("matches"):
        facts.append(key.bounds)
    if key.default is None:
        facts.append("required")
    return f"{key.description} ({', '.join(facts)})" if facts else key.description


def _comment(text: str, indent: str) -> str:
    return "\n".join(
        textwrap.wrap(text, _WIDTH, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ")
    )
