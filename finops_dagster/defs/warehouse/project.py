"""The dbt project on disk: its manifest, parsed again only when a file of it changed.

What the models say lives in dbt_project.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from filelock import FileLock

from finops_dagster.domain.errors import FinopsError
from finops_dagster.settings import child_environment
from finops_dagster.storage.files import atomically, project_digest


def dbt_executable() -> str:
    """dbt of the environment that runs this process."""
    return str(Path(sys.executable).parent / "dbt")


def prepared_manifest(project: Path) -> Path:
    """Path of manifest.json, parsed now if the project changed. Raises FinopsError."""
    manifest = project / "target" / "manifest.json"
    stamp = project / "target" / "sources.sha256"
    wanted = project_digest(project)

    def is_current() -> bool:
        return manifest.exists() and stamp.exists() and stamp.read_text() == wanted

    if not is_current():
        manifest.parent.mkdir(exist_ok=True)
        # the daemon and the web server start together: neither may read what the other is writing
        with FileLock(manifest.parent / "parsing.lock"):
            if not is_current():
                stamp.unlink(missing_ok=True)
                _parse(project)
                atomically(stamp, lambda aside: _write(aside, wanted))
    return manifest


def _parse(project: Path) -> None:
    done = subprocess.run(
        [dbt_executable(), "--quiet", "parse", "--profiles-dir", str(project)],
        cwd=project,
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise FinopsError(f"dbt cannot parse {project.name}:\n{done.stdout}{done.stderr}")


def _write(path: Path, text: str) -> None:
    path.write_text(text)
