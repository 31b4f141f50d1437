"""Use times a dated price list: exact products, prices of the time, and what has none."""

from __future__ import annotations

import csv
import gzip
import itertools
import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, localcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.errors import SettingsError
from finops_dagster.sources import FileSource, open_source
from finops_dagster.sources.price_list import read_price_list
from tests.unit.sources.conftest import Read, write_csv_rows

Row = Mapping[str, str]

CPU = {
    "kind": "price",
    "sku": "cpu",
    "unit": "vCPU-Hours",
    "currency": "EUR",
    "valid_from": "2025-01-01",
    "unit_price": "0.0123",
}
SERVER = {
    "kind": "depreciation",
    "sku": "server",
    "unit": "Hours",
    "currency": "EUR",
    "valid_from": "2024-01-01",
    "asset_cost": "9000",
    "salvage": "228",
    "months": "12",
}
POWER = {
    "kind": "power",
    "sku": "server",
    "unit": "Hours",
    "currency": "EUR",
    "valid_from": "2024-01-01",
    "watts": "450",
    "price_per_kwh": "0.30",
    "pue": "1.5",
}


def use(**changed: str) -> dict[str, str]:
    row = {
        "start": "2025-03-01T00:00:00Z",
        "end": "2025-03-02T00:00:00Z",
        "resource": "esx-1",
        "sku": "cpu",
        "quantity": "10",
        "unit": "vCPU-hours",
        "tags": '{"team": "red"}',
        "rack": "r7",
    }
    return {**row, **changed}


def source_of(folder: Path, uses: Sequence[Row], rates: Sequence[Row]) -> FileSource:
    """A source over `use.csv`, priced by `rates.csv` beside its folder."""
    write_csv_rows(folder / "use" / "use.csv", [dict(one) for one in uses])
    write_csv_rows(folder / "rates.csv", [dict(one) for one in rates])
    options = {"rates": "rates.csv"}
    return open_source("rate_card", "metal", folder / "use", format_options=options, folder=folder)


def read_from(source: FileSource) -> Read:
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        rows, aside = result.rows.read_all(), result.quarantine.read_all()
        return Read(rows, aside, result.landed)


def priced(folder: Path, uses: Sequence[Row], rates: Sequence[Row]) -> Read:
    return read_from(source_of(folder, uses, rates))


def test_a_use_costs_its_quantity_times_its_price(tmp_path: Path) -> None:
    """The one thing a rate card is for."""
    found = priced(tmp_path, [use()], [CPU])
    (row,) = found.rows.to_pylist()
    assert row["billed_cost"] == row["effective_cost"] == Decimal("0.123")
    assert (row["billing_currency"], row["resource_id"]) == ("EUR", "esx-1")
    assert (row["sku_meter"], row["consumed_quantity"]) == ("cpu", 10)
    assert row["consumed_unit"] == "vCPU-hours"
    assert dict(row["tags"]) == {"team": "red"}
    assert dict(row["x_columns"]) == {"rack": "r7"}
    assert found.landed.billed_landed == {"EUR": Decimal("0.123")}


def test_products_are_exact_to_the_twentieth_decimal(tmp_path: Path) -> None:
    """A product by way of floats loses cents of large bills and all of small ones."""
    quantities = ["0.12345678901234567891", "-7.5", "123456789012.000000000001", "0"]
    prices = ["0.123456789012345678", "-0.000000000000000007", "98765.4321"]
    pairs = list(itertools.product(quantities, prices))
    uses = [
        use(quantity=quantity, sku=f"s{prices.index(price)}", resource=str(n))
        for n, (quantity, price) in enumerate(pairs)
    ]
    rates = [{**CPU, "sku": f"s{n}", "unit_price": price} for n, price in enumerate(prices)]
    found = priced(tmp_path, uses, rates)
    assert found.quarantine.num_rows == 0
    got = {int(row["resource_id"]): row["billed_cost"] for row in found.rows.to_pylist()}
    with localcontext() as context:
        context.prec = 60
        for n, (quantity, price) in enumerate(pairs):
            exact = Decimal(quantity) * Decimal(price)
            assert got[n] == exact.quantize(Decimal("1e-20"), ROUND_HALF_UP)


def test_prices_of_the_time_of_use_apply(tmp_path: Path) -> None:
    """Last year's use at this year's price is a bill nobody owes."""
    rates = [
        {**CPU, "valid_to": "2025-03-02"},
        {**CPU, "valid_from": "2025-03-02", "unit_price": "1"},
    ]
    uses = [use(), use(start="2025-03-02T00:00:00Z", end="2025-03-03T00:00:00Z")]
    found = priced(tmp_path, uses, rates)
    assert found.rows["billed_cost"].to_pylist() == [Decimal("0.123"), Decimal(10)]


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"start": "2025-03-01T12:00:00Z", "end": "2025-03-02T12:00:00Z"}, "changes its rate"),
        ({"start": "2024-12-30T00:00:00Z", "end": "2024-12-31T00:00:00Z"}, "has no rate of each"),
        ({"sku": "gpu"}, "is not in the price list"),
        ({"unit": "vCPU-Minutes"}, "is not in the price list"),
    ],
)
def test_a_use_without_a_rate_is_set_aside(
    tmp_path: Path, changed: dict[str, str], why: str
) -> None:
    """Unpriced use taken for free use is a loss that no report shows."""
    rates = [{**CPU, "valid_to": "2025-03-02"}, {**CPU, "valid_from": "2025-03-02"}]
    source = source_of(tmp_path, [use(resource="esx-2"), use(**changed)], rates)
    for delivery in source.deliveries():
        with source.read(delivery) as result:
            result.rows.read_all()
            if result.quarantine.read_all().num_rows == 0:
                continue
            assert "quarantined_cost_unknown" in {fault.code for fault in result.set_faults}
            (fault,) = [f for f in result.landed.row_faults if f.code == "rate_missing"]
            assert why in fault.expected
            return
    raise AssertionError("nothing was set aside")


def test_depreciation_and_power_are_part_of_the_bill(tmp_path: Path) -> None:
    """Own hardware is not free: what it loses and draws is its cost."""
    hours = use(sku="server", unit="Hours", quantity="24")
    in_life = {"start": "2024-03-01T00:00:00Z", "end": "2024-03-02T00:00:00Z"}
    found = priced(tmp_path, [{**hours, **in_life}], [SERVER, POWER])
    rows = {row["sku_meter"]: row for row in found.rows.to_pylist()}
    # 8,772 EUR over the 8,784 hours of 2024; 0.45 kW x 0.30 EUR x 1.5
    daily = Decimal("0.998633879781420765") * 24
    assert rows["server depreciation"]["billed_cost"] == daily
    assert rows["server power"]["billed_cost"] == Decimal("0.2025") * 24
    quantities = [row["consumed_quantity"] for row in rows.values()]
    assert sorted(quantities, key=str) == [Decimal(24), None]


def test_a_written_off_asset_costs_its_power_alone(tmp_path: Path) -> None:
    """Depreciation that never ends charges an asset twice."""
    found = priced(tmp_path, [use(sku="server", unit="Hours", quantity="24")], [SERVER, POWER])
    assert sum(found.rows["billed_cost"].to_pylist()) == Decimal("4.86")


@pytest.mark.parametrize(
    ("rates", "row", "column"),
    [
        ([CPU, {**CPU, "valid_from": "2025-02-01"}], 2, "valid_from"),
        ([{**CPU, "unit_price": "1,25"}], 1, "unit_price"),
        ([{**CPU, "unit_price": "0.1234567890123456789"}], 1, "unit_price"),
        ([{**CPU, "currency": "Euro"}], 1, "currency"),
        ([{**CPU, "valid_to": "2024-01-01"}], 1, "valid_to"),
        ([{**CPU, "kind": "discount"}], 1, "kind"),
        ([{**SERVER, "months": "0"}], 1, "months"),
        ([{**POWER, "units_per_hour": "0"}], 1, "units_per_hour"),
        ([{**CPU, "colour": "red"}], None, "colour"),
    ],
)
def test_a_bad_list_is_refused_with_its_place(
    tmp_path: Path, rates: Sequence[Row], row: int | None, column: str
) -> None:
    """Which of two prices holds is not for a program to guess."""
    write_csv_rows(tmp_path / "rates.csv", [dict(one) for one in rates])
    (fault,) = read_price_list(tmp_path / "rates.csv").faults
    assert (fault.file, fault.row, fault.column) == ("rates.csv", row, column)


def test_use_under_a_bad_list_does_not_land(tmp_path: Path) -> None:
    """Half a price list must not make half a bill."""
    found = priced(tmp_path, [use()], [CPU, {**CPU, "sku": "gpu", "unit_price": "?"}])
    assert found.set_codes == ["price_list"]
    assert found.rows.num_rows == 0


def test_a_changed_list_prices_the_same_use_anew(tmp_path: Path) -> None:
    """Else a corrected price never reaches the reports."""
    source = source_of(tmp_path, [use()], [CPU])
    (first,) = source.deliveries()
    (again,) = source.deliveries()
    assert first == again
    path = write_csv_rows(tmp_path / "rates.csv", [{**CPU, "unit_price": "0.02"}])
    later = datetime(2030, 1, 1, tzinfo=UTC).timestamp()
    os.utime(path, (later, later))
    (second,) = source.deliveries()
    assert second.delivery_id != first.delivery_id
    assert second.known_at > first.known_at
    assert read_from(source).rows["billed_cost"].to_pylist() == [Decimal("0.2")]


def test_a_list_that_is_not_there_is_a_settings_error(tmp_path: Path) -> None:
    """Found out in the night run, it costs a day."""
    with pytest.raises(SettingsError) as error:
        open_source("rate_card", "m", tmp_path, format_options={"rates": "x"}, folder=tmp_path)
    assert "options.rates" in str(error.value.faults[0])


PODS = (
    "interval_start,interval_end,pod,namespace,node,pod_usage_cpu_core_seconds,"
    "pod_request_cpu_core_seconds,pod_usage_memory_byte_seconds,pod_request_memory_byte_seconds,"
    "pod_labels\n"
    "2025-10-01 00:00:00 +0000 UTC,2025-10-01 00:59:59 +0000 UTC,web-1,shop,n1,1800,3600,"
    "3865470566400,1,label_app:web|label_app:again|label_team:red\n"
    "2025-10-01 01:00:00 +0000 UTC,2025-10-01 01:59:59 +0000 UTC,web-1,shop,n1,7200,3600,"
    "3865470566400,7730941132800,\n"
)
POD_RATES = [CPU, {**CPU, "sku": "memory", "unit": "GiB-Hours", "unit_price": "0.002"}]


def openshift(folder: Path, path: Path) -> FileSource:
    write_csv_rows(folder / "rates.csv", [dict(one) for one in POD_RATES])
    options = {"rates": "rates.csv", "use": "openshift", "cluster": "ocp"}
    return open_source("rate_card", "ocp", path, format_options=options, folder=folder)


def test_pods_of_openshift_are_charged_for_cores_and_memory(tmp_path: Path) -> None:
    """What is reserved is paid for, and what is used beyond it."""
    path = tmp_path / "pods.csv"
    path.write_text(PODS, encoding="utf-8")
    rows = read_from(openshift(tmp_path, path)).rows.to_pylist()
    assert [(r["sku_meter"], r["consumed_quantity"], r["billed_cost"]) for r in rows] == [
        ("cpu", 1, Decimal("0.0123")),
        ("memory", 1, Decimal("0.002")),
        ("cpu", 2, Decimal("0.0246")),
        ("memory", 2, Decimal("0.004")),
    ]
    assert str(rows[0]["charge_period_end"]) == "2025-10-01 01:00:00+00:00"
    assert dict(rows[0]["tags"]) == {
        "app": "web",
        "team": "red",
        "k8s-cluster": "ocp",
        "k8s-node": "n1",
        "k8s-namespace": "shop",
        "k8s-workload-kind": "Pod",
        "k8s-workload-name": "web-1",
    }


def test_a_real_report_of_pods_is_priced_whole(shared: Path, tmp_path: Path) -> None:
    """The report as OpenShift writes it, not as this test imagines it."""
    (report,) = (shared / "billing/provider_exports/ocp").glob("*.csv.gz")
    with gzip.open(report, "rt", encoding="utf-8") as file:
        lines = [line for _, line in zip(range(2_001), file, strict=False)]
    path = tmp_path / "pods.csv"
    path.write_text("".join(lines), encoding="utf-8")
    found = read_from(openshift(tmp_path, path))
    assert (found.rows.num_rows, found.quarantine.num_rows) == (4_000, 0)
    cores = sum(
        max(
            Decimal(row["pod_usage_cpu_core_seconds"]),
            Decimal(row["pod_request_cpu_core_seconds"]),
        )
        for row in csv.DictReader(lines)
    )
    cpu = [row for row in found.rows.to_pylist() if row["sku_meter"] == "cpu"]
    assert abs(sum(r["consumed_quantity"] for r in cpu) - cores / 3600) < Decimal("0.00001")
    assert sum(r["billed_cost"] for r in cpu) == sum(
        r["consumed_quantity"] * Decimal("0.0123") for r in cpu
    )


@settings(max_examples=60, deadline=None)
@given(
    cost=st.decimals(0, 10**9, places=2),
    months=st.integers(1, 120),
    units=st.integers(1, 512),
)
def test_depreciation_adds_up_to_what_the_asset_lost(
    tmp_path_factory: pytest.TempPathFactory, cost: Decimal, months: int, units: int
) -> None:
    """An asset charged for more or less than its loss over its life is a wrong bill."""
    row = {**SERVER, "asset_cost": str(cost), "salvage": "0", "months": str(months)}
    path = tmp_path_factory.mktemp("list") / "rates.csv"
    write_csv_rows(path, [{**row, "units_per_hour": str(units)}])
    found = read_price_list(path)
    life, after = found.rates
    assert not found.faults and after.price == 0
    hours = Decimal((life.end - life.start).total_seconds()) / 3600
    assert abs(life.price * units * hours - cost) <= hours * units * Decimal("1e-18")
