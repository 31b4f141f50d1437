"""The dbt project on disk: parsed again only when a file of it changed.

What the models say lives in dbt_project; how a build uses what was parsed, in `parsed`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from finops_dagster.domain.errors import FinopsError
from finops_dagster.storage.files import atomically, project_digest

WAREHOUSE = "warehouse.duckdb"
"""Name of every file that dbt builds: DuckDB calls a catalog by it, and so does what is parsed."""
LINEAGE = "lineage"
"""Folder, beside what is parsed, of what is known of its columns."""


def dbt_executable() -> str:
    """dbt of the environment that runs this process, without parsing the project each time."""
    return str(Path(sys.executable).parent / "finops-dbt")


def parsed_folder(project: Path) -> Path:
    """Where what dbt parsed is kept, and what follows from that alone."""
    return project / "target" / "parsed"


def prepared_manifest(project: Path) -> Path:
    """Path of manifest.json, parsed now if the project changed. Raises FinopsError."""
    folder = parsed_folder(project)
    manifest, stamp = folder / "manifest.json", folder / "sources.sha256"
    wanted = project_digest(project)

    def is_current() -> bool:
        return manifest.exists() and stamp.exists() and stamp.read_text() == wanted

    if not is_current():
        folder.mkdir(parents=True, exist_ok=True)
        # the daemon and the web server start together: neither may read what the other is writing
        with FileLock(folder / "parsing.lock"):
            if not is_current():
                stamp.unlink(missing_ok=True)
                shutil.rmtree(folder / LINEAGE, ignore_errors=True)
                _parse(project, folder)
                atomically(stamp, lambda aside: _write(aside, wanted))
    return manifest


def _parse(project: Path, folder: Path) -> None:
    # a build of a project that is parsed needs no settings
    from finops_dagster.settings import child_environment

    done = subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"),
            *("--quiet", "parse", "--no-partial-parse"),
            *("--profiles-dir", str(project), "--target-path", str(folder)),
        ],
        cwd=project,
        env=child_environment(FINOPS_WAREHOUSE=str(folder / WAREHOUSE)),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise FinopsError(f"dbt cannot parse {project.name}:\n{done.stdout}{done.stderr}")


def _write(path: Path, text: str) -> None:
    path.write_text(text)
