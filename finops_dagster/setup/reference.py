"""docs/settings.md, written from the settings model: `python -m finops_dagster.setup.reference`.

Which keys there are is the business of `settings`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from finops_dagster.settings.describing import Key, describe

_OPENING = """\
# Settings

Every key of `finops.yaml`, written from the code that reads it. `finops init` writes a file to
fill in, `finops doctor` checks one. Paths start from the folder of the file. An unknown key, a
wrong type, a value out of bounds or a path that does not exist is an error that names the key and
the line.

Which file is read: the one named with `--config`, else the one `FINOPS_CONFIG` names, else
`finops.yaml` in the working directory, else the demo's.

An environment variable overrides its key; a list or mapping is given as JSON. Secrets are read
from the environment only, never from the file, and are handed to no child process that has no
use for them.

"""


def render() -> str:
    """The whole page, as Markdown."""
    keys = [key for key in describe() if not key.secret]
    secrets = [key for key in describe() if key.secret]
    parts = [_OPENING, "## Top level\n\n", _table([k for k in keys if _level(k) == ""])]
    for section in (key for key in keys if key.section is not None):
        prefix = f"{section.path}{'[]' if section.is_list else ''}"
        parts.append(f"\n## `{prefix}`\n\n{section.description}\n\n")
        parts.append(_table([key for key in keys if _level(key) == prefix]))
    parts.append("\n## Secrets\n\n| variable | meaning |\n|---|---|\n")
    parts.extend(f"| `{key.variable}` | {key.description} |\n" for key in secrets)
    return "".join(parts)


def _level(key: Key) -> str:
    return key.path.rpartition(".")[0]


def _table(keys: list[Key]) -> str:
    rows = ["| key | type and bounds | default | meaning | variable |", "|---|---|---|---|---|"]
    for key in keys:
        default = "required" if key.default is None else f"`{key.default}`" if key.default else ""
        if key.bounds.startswith("matches "):
            bounds = f"{key.kind}, matches `{key.bounds.removeprefix('matches ')}`"
        else:
            bounds = f"{key.kind}{f', {key.bounds}' if key.bounds else ''}"
        variable = f"`{key.variable}`" if key.variable and key.section is None else ""
        cells = (f"`{key.name}`", bounds, default, key.description, variable)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else "docs/settings.md").write_text(
        render(), encoding="utf-8"
    )
