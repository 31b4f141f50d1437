"""A small estate that watches models by their logs, taken from file to judgement in one process.

No orchestrator: the steps are those that its assets call. What is asserted is in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs import line
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models.health import Health
from finops_dagster.defs.insight.models.judging import judge_models
from finops_dagster.domain.deliveries import Landed
from finops_dagster.settings import load


@dataclass(frozen=True)
class Watched:
    """An estate in `folder`; `settings` is what its finops.yaml says beside a bill."""

    folder: Path
    settings: str

    @property
    def estate(self) -> Estate:
        """Built anew each time, as each run does."""
        (self.folder / "bill").mkdir(parents=True, exist_ok=True)
        path = self.folder / "finops.yaml"
        bill = "estate: watched\nbilling:\n  - {name: cloud, path: bill}\n"
        path.write_text(bill + self.settings, encoding="utf-8")
        return Estate(load(path))

    def publish(self, first: date, last: date) -> list[Landed]:
        """Land, build, audit and publish the signals of [first, last]; what became of each."""
        estate, clock = self.estate, line.SIGNALS
        cutoff = datetime.now(UTC)
        landed = []
        for table in clock.tables:
            results = line.land_window(estate, table, first, last, cutoff)
            audit = line.judge_landed(estate, table, results)
            audit.write_html(estate.layout.reports(last) / "audit" / f"landing-{table}.html")
            assert audit.success, [outcome.observed for outcome in audit.failures]
            landed += results
        warehouse = estate.layout.warehouse
        variables = line.dbt_vars(estate, cutoff, first, last, clock)
        line.rebuild_warehouse(estate, warehouse, {clock: variables})
        inputs = line.built_inputs(estate, clock, first, last, cutoff)
        store = estate.publications
        versions = line.export_candidates(store, warehouse, clock, inputs, cutoff)
        for one in line.judge_exported(estate, store, clock, versions, last):
            assert one.success, [outcome.observed for outcome in one.failures]
            one.write_html(estate.layout.reports(last) / "audit" / f"{one.table}.html")
        store.publish(versions, datetime.now(UTC))
        return landed

    def judged(self, as_of: date) -> Health:
        """What is said of every model for a day, with its pages."""
        return judge_models(self.estate, self.estate.publications.reader(self._manifest), as_of)

    def mart(self, name: str) -> pd.DataFrame:
        """All rows that are in force."""
        frame = self.estate.publications.reader(self._manifest).frame(name)
        assert frame is not None
        return frame

    def versions(self) -> dict[tuple[str, date], tuple[str, int]]:
        """(mart, partition) -> content hash and rows of what is in force."""
        return {(v.mart, v.partition): (v.sha256, v.rows) for v in self._manifest.versions}

    @property
    def _manifest(self) -> Any:
        manifest = self.estate.publications.current()
        assert manifest is not None
        return manifest


def models(*watched: Mapping[str, Any]) -> str:
    """The `models` of the settings."""
    lines = ["models:"]
    for one in watched:
        lines.append("  - " + "\n    ".join(f"{key}: {value}" for key, value in one.items()))
    return "\n".join(lines) + "\n"


def bytes_with(folder: Path, words: Sequence[str]) -> dict[str, list[str]]:
    """Word -> files under `folder` that hold it in the clear, packed Parquet unpacked."""
    import pyarrow.parquet as pq

    found: dict[str, list[str]] = {}
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        content = path.read_bytes() + str(path.relative_to(folder)).encode()
        if path.suffix == ".parquet":
            content += str(pq.ParquetFile(path).read().to_pylist()).encode()
        for word in words:
            if word.encode() in content:
                found.setdefault(word, []).append(str(path.relative_to(folder)))
    return found
