"""dbt as a command that does not parse the project: it loads what was parsed when it last changed.

Parsing depends on the project's files alone, but dbt parses all of it whenever a variable differs,
and here the window of each run does: 4 s of each of five builds of a day.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from finops_dagster.defs.warehouse.project import prepared_manifest

_FROM_FILE = "from_file"
_OF_PROFILES = ("warehouse",)
_PROJECT = Path(__file__).resolve().parents[3] / "dbt_project"


def main() -> None:
    """As `dbt` with the arguments of this process, and its exit codes: 1 failed, 2 cannot run.

    `--vars {"from_file": FILE}` reads them from a file: an argument of a process has at most
    128 KiB, and the names of years of published files are longer.
    """
    from dbt.cli.main import dbtRunner
    from dbt.contracts.graph.manifest import Manifest

    parsed = prepared_manifest(_PROJECT).with_name("partial_parse.msgpack")
    manifest: Any = Manifest.from_msgpack(parsed.read_bytes())
    manifest.build_flat_graph()
    result = dbtRunner(manifest=manifest).invoke([_read(one) for one in sys.argv[1:]])
    if result.exception is not None:
        sys.stderr.write(f"{result.exception}\n")
        sys.exit(2)
    sys.exit(0 if result.success else 1)


def given_by_file(file: Path, variables: Mapping[str, Any]) -> str:
    """Value of `--vars` for variables that are in a file.

    It has those itself that profiles.yml asks: Dagster reads them to count a mart's rows.
    """
    beside = {name: variables[name] for name in _OF_PROFILES if name in variables}
    return json.dumps({_FROM_FILE: str(file), **beside})


def _read(argument: str) -> str:
    if not argument.startswith(f'{{"{_FROM_FILE}"'):
        return argument
    return Path(json.loads(argument)[_FROM_FILE]).read_text(encoding="utf-8")
