"""The estate that every end-to-end test shares: made once, whatever the number of workers.

How it is lived through is in `estate`. No test may change it: `another_estate` gives copies.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

from tests.e2e.estate import World, keep, live, load


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """The shared estate; parallel workers make it once between them."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, told = base / "e2e-estate", base / "e2e-estate.json"
    with FileLock(base / "e2e-estate.lock"):
        if not told.exists():
            shutil.rmtree(folder, ignore_errors=True)
            keep(live(folder), told)
        return load(told)


@pytest.fixture
def another_estate(world: World, tmp_path: Path) -> Callable[..., Path]:
    """Copies the shared estate, whole or only the parts named, to change them."""

    def copied(*parts: str) -> Path:
        folder = tmp_path / f"estate-{len(list(tmp_path.iterdir()))}"
        if not parts:
            shutil.copytree(world.folder, folder)
            return folder
        folder.mkdir()
        for part in parts:
            target = folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if (world.folder / part).is_dir():
                shutil.copytree(world.folder / part, target)
            else:
                shutil.copyfile(world.folder / part, target)
        return folder

    return copied
