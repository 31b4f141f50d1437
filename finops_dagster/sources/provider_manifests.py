"""The manifests that providers write with their exports: which files, which month, whose bill.

Layouts: AWS Data Exports and Cost and Usage Reports by their user guide (export delivery, report
versions), Azure by Cost Management's exports. Finding manifests is in `discovery`.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from finops_dagster.domain.deliveries import DeliveredFile
from finops_dagster.sources.folders import month_of, month_of_window, named, window_place
from finops_dagster.sources.manifest import Note, checked

_EXECUTION = re.compile(r"^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d+)?Z)")
"""How the folder of one execution begins where an export keeps all of them."""
_COMPACT = re.compile(r"^(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})")
_FRACTION = re.compile(r"(\.\d{6})\d+")
_ORDER = re.compile(r"(?i)/providers/Microsoft\.CostManagement/.*$")


def _moment(value: object) -> object:
    """ISO 8601 with or without separators; finer than microseconds is cut, no offset is UTC."""
    if not isinstance(value, str):
        return value
    text = _COMPACT.sub(r"\1-\2-\3T\4:\5:\6", value.strip())
    moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_moment)]


class _Document(BaseModel):
    """Keys that are not ours are left alone: providers add their own."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _DataExport(_Document):
    data_files: tuple[str, ...] = Field(alias="dataFiles")


class _Window(_Document):
    start: Moment
    end: Moment


class _Report(_Document):
    report_keys: tuple[str, ...] = Field(alias="reportKeys")
    billing_period: _Window = Field(alias="billingPeriod")
    account: str | None = None
    report_name: str | None = Field(default=None, alias="reportName")


class _Blob(_Document):
    name: str = Field(alias="blobName", min_length=1)
    rows: int | None = Field(default=None, alias="dataRowCount", ge=0)


class _ExportConfig(_Document):
    name: str | None = Field(default=None, alias="exportName")
    resource_id: str | None = Field(default=None, alias="resourceId")
    type: str | None = None


class _RunInfo(_Document):
    submitted: Moment | None = Field(default=None, alias="submittedTime")
    start: Moment | None = Field(default=None, alias="startDate")
    end: Moment | None = Field(default=None, alias="endDate")


class _AzureExport(_Document):
    blobs: tuple[_Blob, ...]
    config: _ExportConfig = Field(default=_ExportConfig(), alias="exportConfig")
    run: _RunInfo = Field(default=_RunInfo(), alias="runInfo")


def aws_data_export(
    document: Mapping[str, Any],
    path: Path,
    names: Collection[Path],
    key: tuple[str, ...] | None,
) -> Note | None:
    """`EXPORT/metadata/BILLING_PERIOD=YYYY-MM/[EXECUTION/]EXPORT-Manifest.json`.

    Its data lie under `EXPORT/data/BILLING_PERIOD=YYYY-MM/[EXECUTION/]`. Where new deliveries
    write over old ones there is one manifest a month, else one for every execution.
    """
    if "dataFiles" not in document:
        return None
    manifest = checked(_DataExport, document)
    parts = path.parts
    known = "metadata" in parts[:-1]
    export = Path(*parts[: parts.index("metadata")]) if known else path.parent
    files = _placed(manifest.data_files, export / "data" if known else export, names, key)
    execution = _EXECUTION.match(path.parent.name)
    return Note(
        files=tuple(DeliveredFile(path=file) for file in files),
        governs=export,
        known_at=_aware(execution.group(1)) if execution else None,
        period=named(path, "billing_period") or _agreed(files),
        export=str(export) if known else _name(path),
        written_last=execution is None,
    )


def aws_report(
    document: Mapping[str, Any],
    path: Path,
    names: Collection[Path],
    key: tuple[str, ...] | None,
) -> Note | None:
    """`REPORT/YYYYMMDD-YYYYMMDD/[ASSEMBLY/]REPORT-Manifest.json` of the legacy report.

    Text files lie beside it or below it, Parquet under `REPORT/REPORT/year=Y/month=M`. A report
    that keeps its versions has a manifest in each assembly's folder, and the newest above them.
    """
    if "reportKeys" not in document:
        return None
    manifest = checked(_Report, document)
    place = window_place(path)
    report = Path(*path.parts[:place]) if place is not None else path.parent
    files = _placed(manifest.report_keys, report, names, key)
    window = manifest.billing_period
    return Note(
        files=tuple(DeliveredFile(path=file) for file in files),
        governs=report,
        period=month_of(window.start.date(), window.end.date()),
        export=str(report) if place is not None else manifest.report_name or _name(path),
        scope=manifest.account,
        written_last=place is not None and len(path.parts) == place + 2,
    )


def azure_export(
    document: Mapping[str, Any],
    path: Path,
    names: Collection[Path],
    key: tuple[str, ...] | None,
) -> Note | None:
    """`EXPORT/YYYYMMDD-YYYYMMDD/[TIME/][RUN/]manifest.json`, or `_manifest.json` of older ones.

    Each run holds the month to date as a whole; the newest run of a scope is in force.
    """
    if "blobs" not in document:
        return None
    manifest = checked(_AzureExport, document)
    place = window_place(path)
    export = Path(*path.parts[:place]) if place is not None else path.parent
    run = manifest.run
    return Note(
        files=tuple(
            DeliveredFile(path=path.parent / PurePosixPath(blob.name).name, rows=blob.rows)
            for blob in manifest.blobs
        ),
        governs=export,
        known_at=run.submitted,
        period=_month(run.start, run.end)
        or (month_of_window(path.parts[place]) if place is not None else None),
        export=manifest.config.resource_id or manifest.config.name or str(export),
        scope=_scope(manifest.config),
    )


def _scope(config: _ExportConfig) -> str | None:
    """Actual and amortised cost of one scope tell different things: their format needs both."""
    if not config.resource_id:
        return None
    scope = _ORDER.sub("", config.resource_id).lower()
    view = (config.type or "").lower()
    return f"{scope} {view}" if view in ("actualcost", "amortizedcost") else scope


def _name(path: Path) -> str:
    """Of an export, by its manifest's: EXPORT-Manifest.json."""
    return path.name.rpartition("-")[0]


def _month(start: datetime | None, end: datetime | None) -> date | None:
    return month_of(start.date(), (end or start).date()) if start else None


def _aware(text: str) -> datetime:
    return datetime.fromisoformat(_FRACTION.sub(r"\1", text))


def _agreed(files: Sequence[Path]) -> date | None:
    months = {named(file, "billing_period") for file in files}
    return months.pop() if len(months) == 1 else None


def _placed(
    keys: Sequence[str], below: Path, names: Collection[Path], key: tuple[str, ...] | None
) -> list[Path]:
    """Where the keys of a bucket are in this place.

    In the bucket itself that is known. A copy may start anywhere in the bucket: as many leading
    names are taken off all keys as makes them lie `below` and most of them exist.
    """
    split = [tuple(_key(one).split("/")) for one in keys]
    if key is not None and all(one[: len(key)] == key and len(one) > len(key) for one in split):
        return [Path(*one[len(key) :]) for one in split]
    depth = min((len(one) for one in split), default=1)
    base = below.parts
    best, most = 0, -1
    for start in range(depth):
        if any(one[:start] != split[0][:start] for one in split):
            break
        if all(one[start : start + len(base)] == base for one in split):
            found = sum(Path(*one[start:]) in names for one in split)
            if found > most:
                best, most = start, found
    return [Path(*one[best:]) for one in split]


def _key(text: str) -> str:
    """A key, of `s3://BUCKET/KEY` too."""
    if "://" in text:
        return text.split("://", 1)[1].partition("/")[2]
    return text
