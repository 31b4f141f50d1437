"""Small bills and signals to write, and one way to read them to their end."""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from finops_dagster.domain.deliveries import Landed
from finops_dagster.sources import Limits, open_source
from tests.unit.sources.places import BUCKET

Row = dict[str, Any]

CHARGE: Row = {
    "BilledCost": "1.25",
    "BillingAccountId": "000123",
    "BillingCurrency": "USD",
    "BillingPeriodStart": "2025-01-01T00:00:00Z",
    "BillingPeriodEnd": "2025-02-01T00:00:00Z",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2025-01-01T00:00:00Z",
    "ChargePeriodEnd": "2025-01-02T00:00:00Z",
    "EffectiveCost": "1.25",
    "ListCost": "2",
    "ResourceId": "i-1",
    "Tags": '{"team": "web"}',
}
POINT: Row = {
    "time": "2025-01-01T00:00:00Z",
    "interval_seconds": "300",
    "metric": "container_cpu_usage_seconds_total",
    "cluster": "c1",
    "namespace": "shop",
    "kind": "Deployment",
    "name": "web",
    "container": "server",
    "value": "0.5",
}


@dataclass(frozen=True)
class Read:
    """One delivery drained."""

    rows: pa.Table
    quarantine: pa.Table
    landed: Landed

    @property
    def set_codes(self) -> list[str]:
        return [fault.code for fault in self.landed.set_faults]

    @property
    def row_codes(self) -> list[tuple[str, str | None]]:
        return [(fault.code, fault.column) for fault in self.landed.row_faults]

    @property
    def conformance(self) -> dict[str, list[str | None]]:
        found: dict[str, list[str | None]] = {}
        for fault in self.landed.conformance:
            found.setdefault(fault.code, []).append(fault.column)
        return found


def read_all(format_name: str, path: Path, limits: Limits | None = None) -> list[Read]:
    source = open_source(format_name, "src", path, limits)
    read = []
    for delivery in source.deliveries():
        with source.read(delivery) as result:
            rows, quarantine = result.rows.read_all(), result.quarantine.read_all()
            read.append(Read(rows, quarantine, result.landed))
    return read


def write_csv_rows(path: Path, rows: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def read_each() -> Callable[..., list[Read]]:
    return read_all


@pytest.fixture
def read_one() -> Callable[..., Read]:
    def read(format_name: str, path: Path, limits: Limits | None = None) -> Read:
        (only,) = read_all(format_name, path, limits)
        return only

    return read


@pytest.fixture
def write_csv() -> Callable[[Path, Sequence[Row]], Path]:
    return write_csv_rows


@pytest.fixture
def charge() -> Callable[..., Row]:
    def make(**changed: Any) -> Row:
        return {**CHARGE, **changed}

    return make


@pytest.fixture
def point() -> Callable[..., Row]:
    def make(**changed: Any) -> Row:
        return {**POINT, **changed}

    return make


@pytest.fixture
def note() -> Callable[..., None]:
    """Write `_delivery.json` into a folder."""

    def write(folder: Path, **content: Any) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        content.setdefault("known_at", "2025-01-05T03:00:00Z")
        (folder / "_delivery.json").write_text(json.dumps(content), encoding="utf-8")

    return write


@pytest.fixture
def shared() -> Path:
    """Third-party data beside the project; tests that need it skip where it is absent."""
    found = Path(__file__).parents[3].parent / "shared" / "data"
    if not found.is_dir():
        pytest.skip("third-party data is not beside this checkout")
    return found


class Store:
    """An S3 bucket on loopback."""

    def __init__(self, endpoint: str) -> None:
        import boto3

        self.client = boto3.client("s3", endpoint_url=endpoint)
        self.client.create_bucket(Bucket=BUCKET)

    def put(self, files: Mapping[str, bytes]) -> None:
        for key, body in files.items():
            self.client.put_object(Bucket=BUCKET, Key=key, Body=body)

    def delete(self, key: str) -> None:
        self.client.delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A bucket of its own for a test; the server is named as a user names one."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "test-id",
        "AWS_SECRET_ACCESS_KEY": "test-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }.items():
        monkeypatch.setenv(name, value)
    store = Store(s3_server)
    yield store
    for one in store.client.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        store.delete(one["Key"])
    store.client.delete_bucket(Bucket=BUCKET)
