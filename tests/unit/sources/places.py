"""Places to deliver to in tests: an S3 server and a web server on loopback, and what goes there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from finops_dagster.sources import FileSource, ReadOptions, open_source

BUCKET = "bills"


def source(url: str | Path, mirror: Path, format_name: str = "focus", **options: Any) -> FileSource:
    """A source at `url`, with its copies below `mirror`."""
    return open_source(format_name, "src", url, options=ReadOptions(mirror=mirror, **options))


def text(rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Rows as CSV."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def data_export(
    month: str, files: Sequence[str], export: str = "exports/focus"
) -> dict[str, bytes]:
    """The manifest of an AWS data export that writes over its files."""
    name = export.rsplit("/", 1)[-1]
    keys = [f"s3://{BUCKET}/{export}/data/BILLING_PERIOD={month}/{file}" for file in files]
    return {
        f"{export}/metadata/BILLING_PERIOD={month}/{name}-Manifest.json": json.dumps(
            {"dataFiles": keys, "columns": []}
        ).encode()
    }


def report(
    month: tuple[str, str], assembly: str, files: Sequence[str], root: str = "cur/daily"
) -> bytes:
    """The manifest of a legacy Cost and Usage Report."""
    first, end = month
    below = f"{root}/{first}-{end}/{assembly}/" if assembly else f"{root}/{first}-{end}/"
    return json.dumps(
        {
            "assemblyId": assembly or "a",
            "account": "123456789012",
            "billingPeriod": {
                "start": f"{first}T000000.000Z",
                "end": f"{end}T000000.000Z",
            },
            "bucket": BUCKET,
            "reportName": root.rsplit("/", 1)[-1],
            "reportKeys": [below + file for file in files],
        }
    ).encode()


def azure(
    folder: str,
    files: Sequence[str],
    submitted: str,
    *,
    scope: str = "/subscriptions/s1",
    export: str = "daily",
    rows: int | None = None,
    kind: str = "FocusCost",
    month: tuple[str, str] = ("2025-01-01", "2025-01-31"),
) -> bytes:
    """The manifest of one run of an Azure export."""
    return json.dumps(
        {
            "manifestVersion": "2024-04-01",
            "blobCount": len(files),
            "exportConfig": {
                "exportName": export,
                "resourceId": f"{scope}/providers/Microsoft.CostManagement/exports/{export}",
                "type": kind,
            },
            "runInfo": {
                "submittedTime": submitted,
                "startDate": f"{month[0]}T00:00:00",
                "endDate": f"{month[1]}T00:00:00",
            },
            "blobs": [
                {"blobName": f"{folder}/{file}", "byteCount": 1}
                | ({"dataRowCount": rows} if rows is not None else {})
                for file in files
            ],
        }
    ).encode()
