"""The rows of files as they were delivered, for those who judge them before anything is mended.

Which rules they are judged by is not known here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import duckdb

from finops_dagster.domain.deliveries import DeliveredFile
from finops_dagster.sources.opening import Opened, open_delivery
from finops_dagster.sources.places import Hashes, Place
from finops_dagster.sources.reading import Workspace, despite_damage
from finops_dagster.sources.shapes import ReadOptions
from finops_dagster.sources.spools import Spools

T = TypeVar("T")


def look_at_raw(
    place: Place,
    files: Sequence[DeliveredFile],
    hashes: Hashes,
    options: ReadOptions,
    look: Callable[[duckdb.DuckDBPyConnection, Opened], T],
) -> tuple[T, Opened]:
    """What `look` makes of the files' raw rows, and how the files were opened.

    Damaged files are left out; the faults of `Opened` tell of them. Raises Unavailable.
    """
    root = place.fetch(file.path for file in files)
    space = Workspace(options)
    try:
        opened = open_delivery(
            space.connection, root, files, space.path, hashes, Spools(options.scratch)
        )
        return despite_damage(space.connection, opened, lambda: look(space.connection, opened)), (
            opened
        )
    finally:
        space.close()
