"""What was seen and decided for one day: frames and documents in one folder.

A folder is rewritten when its day is decided again; the ledger alone remembers every version.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BaseModel

from finops_dagster.domain.ids import canonical_json
from finops_dagster.storage.files import atomically, write_json

Item = TypeVar("Item", bound=BaseModel)


@dataclass(frozen=True)
class DayStore:
    """Named frames (Parquet) and named lists of typed items (JSON) of one day."""

    root: Path

    def path(self, name: str) -> Path:
        """A file of this day by its name with suffix."""
        return self.root / name

    def write_frame(self, name: str, frame: pd.DataFrame) -> None:
        """Write a frame; its columns must have types that Parquet knows."""
        table = pa.Table.from_pandas(frame, preserve_index=False)
        atomically(self.path(f"{name}.parquet"), lambda aside: pq.write_table(table, aside))

    def frame(self, name: str) -> pd.DataFrame | None:
        """The frame, or None if it was not written for this day."""
        path = self.path(f"{name}.parquet")
        if not path.exists():
            return None
        read: pd.DataFrame = pq.read_table(path).to_pandas(date_as_object=True)
        return read

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file by its name with suffix, such as a model."""

        def write(aside: Path) -> None:
            aside.write_bytes(content)

        atomically(self.path(name), write)

    def drop_frames(self, *names: str) -> None:
        """Forget frames that an earlier look at this day has left."""
        for name in names:
            self.path(f"{name}.parquet").unlink(missing_ok=True)

    def write_items(self, name: str, items: Sequence[BaseModel]) -> None:
        """Write a list of frozen types, ids (where they have one) included."""
        write_json(self.path(f"{name}.json"), [json.loads(canonical_json(item)) for item in items])

    def items(self, name: str, type_: type[Item]) -> list[Item]:
        """The items, typed; an empty list if the file was not written for this day."""
        path = self.path(f"{name}.json")
        if not path.exists():
            return []
        return [type_.model_validate(item) for item in json.loads(path.read_text("utf-8"))]

    def write_document(self, name: str, document: Any) -> None:
        """Write one JSON document."""
        write_json(self.path(f"{name}.json"), document)

    def document(self, name: str) -> Any | None:
        """The document, or None if it was not written for this day."""
        path = self.path(f"{name}.json")
        return json.loads(path.read_text("utf-8")) if path.exists() else None
