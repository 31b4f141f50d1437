"""The process environment: what is read from it, and what a child process is given of it.

Nothing else in the product touches `os.environ`; keys of finops.yaml are overridden in `model`.
"""

from __future__ import annotations

import difflib
import os
import re
import sys
from pathlib import Path

PREFIX = "FINOPS_"
CONFIG_VARIABLE = "FINOPS_CONFIG"
"""Names the settings file where no argument can: a Dagster daemon or webserver starts us so."""
SECRETS = (
    "FINOPS_GITHUB_TOKEN",
    "FINOPS_GITHUB_APP_KEY",
    "FINOPS_GITHUB_APP_KEY_FILE",
    "FINOPS_COMMIT_SIGNING_KEY",
    "FINOPS_COMMIT_SIGNING_KEY_FILE",
    "FINOPS_OPA_TOKEN",
    "FINOPS_PRIVACY_KEY",
)
CREDENTIALS = "FINOPS_CREDENTIALS"
"""Opens the names of all variables that let us into sources."""
OTHER_VARIABLES = frozenset({CONFIG_VARIABLE, "FINOPS_WAREHOUSE"})
"""Ours, but no keys of finops.yaml. FINOPS_WAREHOUSE tells dbt where the DuckDB file is."""

TELEMETRY_OFF = {
    "DO_NOT_TRACK": "1",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
}
"""What our tools would send home, switched off. Each tool reads its own variable."""


def environment_config() -> Path | None:
    """The settings file that the environment names, if it names one."""
    value = os.environ.get(CONFIG_VARIABLE, "")
    return Path(value) if value else None


def telemetry_off() -> None:
    """Switch the telemetry of our tools off in this process; call it before they are imported.

    A value that the user has set stays.
    """
    for name, value in TELEMETRY_OFF.items():
        os.environ.setdefault(name, value)


def child_environment(*, secrets: bool = False, **extra: str) -> dict[str, str]:
    """Environment for a child process: ours, telemetry off, our tools first on PATH, and `extra`.

    Secrets are left out unless the child acts on the forge or reads sources (`secrets=True`).
    """
    kept = {name: value for name, value in os.environ.items() if secrets or not _secret(name)}
    here = str(Path(sys.executable).parent)
    path = kept.get("PATH", os.defpath)
    if here not in path.split(os.pathsep):
        path = f"{here}{os.pathsep}{path}"
    return {**TELEMETRY_OFF, **kept, "PATH": path, **extra}


def hide_secrets(text: str) -> str:
    """`text` with the values of our secrets and passwords in URLs masked: for logs and errors."""
    text = re.sub(r"(://)[^/@\s]*:[^/@\s]*@", r"\1**********@", text)
    values = {value for name, value in os.environ.items() if value and _secret(name)}
    # the longest first: one may be a part of another
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, "**********")
    return text


def _secret(name: str) -> bool:
    return name.upper() in SECRETS or name.upper().startswith(CREDENTIALS)


def overriding_variable(location: tuple[str, ...]) -> str | None:
    """The variable that sets the key at `location` (or a section above it), if one is set."""
    upper = {name.upper(): name for name in os.environ if os.environ[name]}
    for length in range(len(location), 0, -1):
        name = PREFIX + "__".join(location[:length]).upper()
        if name in upper:
            return upper[name]
    return None


def unknown_variables(keys: frozenset[str]) -> dict[str, str]:
    """FINOPS_ variables that set nothing, each with the nearest one that would, or "".

    `keys` are the top-level keys of finops.yaml.
    """
    known = {PREFIX + key.upper() for key in keys} | OTHER_VARIABLES
    unknown: dict[str, str] = {}
    for name in sorted(os.environ):
        top = name.upper().split("__")[0]
        if name.upper().startswith(PREFIX) and top not in known:
            near = difflib.get_close_matches(top, sorted(known), n=1)
            unknown[name] = near[0] if near else ""
    return unknown


def name_warehouse(path: Path) -> None:
    """Tell the dbt processes that this process starts where the DuckDB file is."""
    os.environ["FINOPS_WAREHOUSE"] = str(path)
