"""One module per system that data comes from, behind one small protocol.

To add a format: a module with a `Format` (its table, and how its columns become the table's), and
one line in `FORMATS`. Nothing else changes.
"""

from __future__ import annotations

from pathlib import Path

from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.sources.azure import AZURE_EA, AZURE_MCA
from finops_dagster.sources.carbon import CARBON
from finops_dagster.sources.focus import FocusFormat
from finops_dagster.sources.labels import LABEL_LOG
from finops_dagster.sources.predictions import PREDICTION_LOG
from finops_dagster.sources.shapes import (
    QUARANTINE_SCHEMA,
    Limits,
    ReadOptions,
    ReadResult,
    arrow_schema,
)
from finops_dagster.sources.source import FileSource
from finops_dagster.sources.telemetry import TELEMETRY
from finops_dagster.sources.views import Format

__all__ = [
    "FORMATS",
    "QUARANTINE_SCHEMA",
    "FileSource",
    "Format",
    "Limits",
    "ReadOptions",
    "ReadResult",
    "arrow_schema",
    "open_source",
]

FORMATS: dict[str, Format] = {
    "focus": FocusFormat(),
    "azure_ea": AZURE_EA,
    "azure_mca": AZURE_MCA,
    "telemetry": TELEMETRY,
    "carbon": CARBON,
    "predictions": PREDICTION_LOG,
    "labels": LABEL_LOG,
}
"""Format name -> how it is read."""


def open_source(
    format_name: str,
    name: str,
    path: Path,
    limits: Limits | None = None,
    options: ReadOptions | None = None,
) -> FileSource:
    """The source `name` that delivers `format_name` to `path`.

    Raises SettingsError for a format that is not known; nothing is read yet.
    """
    if format_name not in FORMATS:
        raise SettingsError(
            f"There is no format {format_name!r}.",
            (
                Fault(
                    code="format_unknown",
                    expected=f"One of {', '.join(FORMATS)}; found {format_name!r}.",
                    hint="Correct the format of the source in the settings.",
                ),
            ),
        )
    return FileSource(
        name, path, FORMATS[format_name], limits or Limits(), options or ReadOptions()
    )
