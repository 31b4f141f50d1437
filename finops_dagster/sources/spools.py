"""Copies of text files as Parquet, kept while the same delivery is asked for again.

A bill of thirteen months in one CSV file is thirteen deliveries: it is parsed once, not thirteen
times. Only the files of the delivery opened last are kept.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Collection
from pathlib import Path

from finops_dagster.sources.csv_files import spool_csv
from finops_dagster.sources.json_lines import spool_json, spool_json_lines
from finops_dagster.sources.text_files import Spooled

_SPOOLERS = {".jsonl": spool_json_lines, ".ndjson": spool_json_lines, ".json": spool_json}
"""What is none of these is text with a header."""


class Spools:
    """Held copies by file name and content. `scratch` is where they lie."""

    def __init__(self, scratch: Path | None) -> None:
        self._scratch = scratch
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._held: dict[tuple[str, str], tuple[Path, Spooled]] = {}
        self._made = 0

    def keep(self, wanted: Collection[tuple[str, str]]) -> None:
        """Drop every copy but those of `wanted` (name, digest)."""
        for key in [key for key in self._held if key not in wanted]:
            path, spooled = self._held.pop(key)
            path.unlink(missing_ok=True)
            if spooled.broken:
                spooled.broken.unlink(missing_ok=True)

    def open(self, name: str, digest: str, source: Path, target: Path) -> Spooled:
        """The copy of `source`, as `target`: a link, so that it outlives the copy kept here."""
        if (name, digest) not in self._held:
            if self._folder is None:
                self._folder = tempfile.TemporaryDirectory(
                    prefix="finops-spool-", dir=self._scratch
                )
            self._made += 1
            path = Path(self._folder.name) / f"{self._made}.parquet"
            kinds = [suffix.lower() for suffix in source.suffixes if suffix.lower() in _SPOOLERS]
            spool = _SPOOLERS[kinds[-1]] if kinds else spool_csv
            spooled = spool(name, source, path)
            self._held[name, digest] = path, spooled
        path, spooled = self._held[name, digest]
        if spooled.columns:
            target.hardlink_to(path)
        if spooled.broken is None:
            return spooled
        broken = target.with_suffix(".broken.parquet")
        broken.hardlink_to(spooled.broken)
        return dataclasses.replace(spooled, broken=broken)
