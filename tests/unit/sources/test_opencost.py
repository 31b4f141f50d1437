"""OpenCost's allocations as charges: every part by itself, the total to the last decimal."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.errors import SettingsError
from finops_dagster.sources import Limits, open_source
from tests.unit.sources.conftest import Read

Allocation = dict[str, Any]

ZEROES = (
    "cpuCoreHours",
    "cpuCost",
    "cpuCostAdjustment",
    "gpuHours",
    "gpuCost",
    "gpuCostAdjustment",
    "networkTransferBytes",
    "networkReceiveBytes",
    "networkCost",
    "networkCostAdjustment",
    "loadBalancerCost",
    "loadBalancerCostAdjustment",
    "pvByteHours",
    "pvCost",
    "pvCostAdjustment",
    "ramByteHours",
    "ramCost",
    "ramCostAdjustment",
    "externalCost",
    "sharedCost",
)
GIB = 1024**3


def allocation(name: str, day: str = "2025-10-01", **changed: Any) -> Allocation:
    """As the API writes one; `totalCost` is the sum of what is given unless it is given."""
    given: Allocation = {**dict.fromkeys(ZEROES, 0), **changed}
    costs = [str(v) for k, v in given.items() if k.endswith(("Cost", "Adjustment"))]
    total = float(sum(map(Decimal, costs)))
    following = day[:-2] + f"{int(day[-2:]) + 1:02}"
    return {
        "name": name,
        "properties": {"cluster": "one"},
        "window": {"start": f"{day}T00:00:00Z", "end": f"{following}T00:00:00Z"},
        "start": f"{day}T06:00:00Z",
        "end": f"{following}T00:00:00Z",
        "minutes": 1080,
        "totalCost": total,
        **given,
    }


def web(**changed: Any) -> Allocation:
    properties = {
        "cluster": "one",
        "node": "n1",
        "namespace": "shop",
        "controllerKind": "deployment",
        "controller": "web",
        "pod": "web-1",
        "container": "server",
        "labels": {"app": "web", "team": "red"},
        "namespaceLabels": {"team": "blue", "env": "prod"},
    }
    parts = {
        "cpuCoreHours": 6.0,
        "cpuCost": 0.18965,
        "cpuCostAdjustment": -0.0235,
        "ramByteHours": 3.0 * GIB,
        "ramCost": 0.05098,
    }
    return allocation("one/n1/shop/web-1/server", **{"properties": properties, **parts, **changed})


def idle() -> Allocation:
    return allocation("one/__idle__", cpuCost=4.2, ramCost=1.1)


def answer(*allocations: Allocation) -> str:
    named = {one["name"]: one for one in allocations}
    return json.dumps({"code": 200, "data": [{}, named, None]}, indent=1)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read(path: Path, limits: Limits | None = None, **options: str) -> Read:
    given = {"currency": "USD", **options}
    source = open_source("opencost", "oc", path, limits, format_options=given)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        rows, aside = result.rows.read_all(), result.quarantine.read_all()
        return Read(rows, aside, result.landed)


def costs(rows: Iterable[dict[str, Any]]) -> dict[str, Decimal]:
    return {row["sku_meter"]: row["billed_cost"] for row in rows}


def test_each_cost_of_an_allocation_is_a_charge_with_its_own_meter(tmp_path: Path) -> None:
    """Without it nobody can tell what a core and what a GiB of a workload costs."""
    found = read(write(tmp_path / "day.json", answer(web())))
    cpu, memory = found.rows.to_pylist()
    assert costs([cpu, memory]) == {
        "vCPU-hours": Decimal("0.16615"),
        "GiB-hours": Decimal("0.05098"),
    }
    assert (cpu["consumed_quantity"], cpu["consumed_unit"]) == (6, "vCPU-Hours")
    assert (memory["consumed_quantity"], memory["consumed_unit"]) == (3, "GiB-Hours")
    assert (cpu["list_cost"], cpu["effective_cost"]) == (Decimal("0.18965"), cpu["billed_cost"])
    assert cpu["billing_currency"] == "USD"
    assert str(cpu["charge_period_start"]) == "2025-10-01 06:00:00+00:00"
    assert dict(cpu["x_columns"])["minutes"] == "1080"
    assert memory["x_columns"] is None


def test_tags_say_whose_workload_it_is(tmp_path: Path) -> None:
    """The join of bill, measurements and repository hangs on them."""
    found = read(write(tmp_path / "day.json", answer(web(), idle())))
    by_name = {row["resource_name"]: row for row in found.rows.to_pylist()}
    assert dict(by_name["web"]["tags"]) == {
        "app": "web",
        "team": "red",
        "env": "prod",
        "k8s-cluster": "one",
        "k8s-node": "n1",
        "k8s-namespace": "shop",
        "k8s-workload-kind": "deployment",
        "k8s-workload-name": "web",
        "k8s-pod": "web-1",
        "k8s-container": "server",
    }
    assert dict(by_name["one/__idle__"]["tags"]) == {"k8s-cluster": "one"}


def test_words_for_nobody_are_no_workload(tmp_path: Path) -> None:
    """A Deployment named __unmounted__ would get findings and an owner."""
    nobody = {"namespace": "__unmounted__", "pod": "__unmounted__", "container": "__unmounted__"}
    unmounted = allocation("one/__unmounted__", properties={"cluster": "one", **nobody}, pvCost=0.7)
    unallocated = allocation("__unallocated__", properties={}, sharedCost=0.25)
    found = read(write(tmp_path / "day.json", answer(unmounted, unallocated)))
    assert costs(found.rows.to_pylist()) == {
        "Storage GiB-months": Decimal("0.7"),
        "Shared cost": Decimal("0.25"),
    }
    for row in found.rows.to_pylist():
        assert not {"k8s-namespace", "k8s-workload-name", "k8s-pod"} & dict(row["tags"]).keys()


def test_a_total_that_rounding_parted_from_its_parts_is_kept(tmp_path: Path) -> None:
    """OpenCost rounds total and parts each by itself: the sum of parts is not its bill."""
    found = read(write(tmp_path / "day.json", answer(web(totalCost=0.21712), idle())))
    assert found.landed.file_billed == {"USD": Decimal("5.51712")}
    assert found.landed.billed_landed == found.landed.file_billed
    (rest,) = [r for r in found.rows.to_pylist() if r["sku_meter"] == "Rest of the total"]
    assert (rest["billed_cost"], rest["charge_category"]) == (Decimal("-0.00001"), "Adjustment")
    assert "total_differs" not in found.conformance


def test_a_total_that_differs_by_more_is_told(tmp_path: Path) -> None:
    """A cost this reader does not know of must not hide in a rest nobody sees."""
    found = read(write(tmp_path / "day.json", answer(web(totalCost=3))))
    assert found.landed.billed_landed == {"USD": Decimal(3)}
    assert found.conformance["total_differs"] == ["totalCost"]


def test_all_parts_are_taken(tmp_path: Path) -> None:
    """A part left out is a cost that is in no report."""
    every: Allocation = {name: 0.1 for name in ZEROES if name.endswith(("Cost", "Adjustment"))}
    whole = allocation(
        "one/x", **every, gpuHours=2, pvByteHours=744 * 5 * GIB, networkReceiveBytes=3e9
    )
    found = read(write(tmp_path / "day.json", answer(whole)))
    rows = {row["sku_meter"]: row for row in found.rows.to_pylist()}
    assert len(rows) == 8
    assert sum(row["billed_cost"] for row in rows.values()) == Decimal("1.4")
    assert rows["GPU-hours"]["consumed_quantity"] == 2
    assert rows["Storage GiB-months"]["consumed_quantity"] == 5
    assert (rows["Network transfer"]["consumed_quantity"]) == 3


def test_floats_are_read_by_the_text_they_are_written_in(tmp_path: Path) -> None:
    """0.1 + 0.2 by way of floats is not 0.3."""
    longest = allocation("one/x", cpuCost=0.1, ramCost=0.2, gpuCost=1e-05, totalCost=0.30001)
    found = read(write(tmp_path / "day.json", answer(longest)))
    assert sum(costs(found.rows.to_pylist()).values()) == Decimal("0.30001")
    assert len(found.rows) == 3


@pytest.mark.parametrize("name", ["day.json.gz", "lines.jsonl", "several.json", "list.json"])
def test_however_an_answer_was_saved(tmp_path: Path, name: str) -> None:
    """People save what the API says with whatever is at hand."""
    text = {
        "day.json.gz": answer(web(), idle()),
        "lines.jsonl": "\n".join(json.dumps(one) for one in (web(), idle())) + "\n",
        "several.json": answer(web()) + "\n" + answer(idle()),
        "list.json": json.dumps([web(), idle()]),
    }[name]
    path = tmp_path / "in" / name
    path.parent.mkdir()
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    for place in (path, path.parent):
        found = read(place)
        assert found.landed.billed_landed == {"USD": Decimal("5.51713")}
        assert found.landed.set_faults == ()


def test_the_csv_export_has_the_same_total(tmp_path: Path) -> None:
    """Its columns are fewer: load balancers are in its total alone."""
    row = {
        "Date": "2025-10-01",
        "Namespace": "shop",
        "ControllerKind": "deployment",
        "ControllerName": "web",
        "Pod": "web-1",
        "Container": "server",
        "Labels": '{"team": "red"}',
        "CPUCoreUsageAverage": "0.25",
        "CPUCost": "0.16615000000000002",
        "RAMCost": "0.05098",
        "NetworkCost": "0",
        "PVCost": "0.1",
        "GPUCost": "0",
        "TotalCost": "0.6171300000000001",
    }
    tiny = {**row, "CPUCost": "0.000012345678901234567", "TotalCost": "0.000012345678901234567"}
    tiny |= {"RAMCost": "0", "PVCost": "0"}
    path = tmp_path / "export.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerows([row, tiny])
    found = read(path, cluster="one")
    exact = Decimal("0.6171300000000001") + Decimal("0.000012345678901234567")
    assert found.landed.file_billed == {"USD": exact}
    assert found.landed.file_rounded == {"USD": Decimal("-3e-21")}
    assert found.landed.billed_landed == {"USD": exact + Decimal("3e-21")}
    rows = {one["sku_meter"]: one for one in found.rows.to_pylist()[:4]}
    assert rows["Rest of the total"]["billed_cost"] == Decimal("0.30000000000000008")
    tags = dict(rows["vCPU-hours"]["tags"])
    assert (tags["team"], tags["k8s-workload-name"], tags["k8s-cluster"]) == ("red", "web", "one")
    assert str(rows["vCPU-hours"]["charge_period_end"]) == "2025-10-02 00:00:00+00:00"


def test_a_run_longer_than_the_window_is_cut_to_it(tmp_path: Path) -> None:
    """Cost of the window booked on a day before it is on the wrong day, or in the wrong month."""
    long = web(start="2025-09-28T00:00:00Z", end="2025-10-09T00:00:00Z")
    (delivered,) = {
        (str(row["charge_period_start"]), str(row["charge_period_end"]))
        for row in read(write(tmp_path / "day.json", answer(long))).rows.to_pylist()
    }
    assert delivered == ("2025-10-01 00:00:00+00:00", "2025-10-02 00:00:00+00:00")


def test_an_answer_without_totals_is_the_sum_of_its_parts(tmp_path: Path) -> None:
    """The summary of the API has no totals."""
    parts = web(cpuCost="1.2345678901234567e-05", cpuCostAdjustment=0)
    del parts["totalCost"]
    found = read(write(tmp_path / "day.json", json.dumps([parts])))
    assert found.landed.file_billed == {"USD": Decimal("0.050992345678901234567")}
    assert found.landed.billed_landed == {"USD": Decimal("0.05099234567890123457")}


def test_what_rounding_takes_is_given_to_one_charge(tmp_path: Path) -> None:
    """Given to each charge of an allocation it would be there several times."""
    tiny = [
        allocation(f"one/{n}", cpuCost=0.1, ramCost=0.1, totalCost="0.200000000000000000004")
        for n in range(5)
    ]
    found = read(write(tmp_path / "day.json", json.dumps(tiny)))
    assert found.landed.file_billed == {"USD": Decimal("1.00000000000000000002")}
    assert sum(found.rows["billed_cost"].to_pylist()) == Decimal("1.00000000000000000002")
    assert found.landed.billed_landed == found.landed.file_billed


@pytest.mark.parametrize("bad", [{"cpuCost": None}, {"ramCost": "NaN"}, {"totalCost": "x"}])
def test_a_cost_that_is_no_number_stops_the_bill(tmp_path: Path, bad: Allocation) -> None:
    """OpenCost writes null for NaN: taken as nothing, a cost would vanish."""
    found = read(write(tmp_path / "day.json", answer({**web(), **bad}, idle())))
    assert "quarantined_cost_unknown" in found.set_codes
    assert found.landed.rows_landed == 0


def test_half_an_answer_is_refused(tmp_path: Path) -> None:
    """A download that broke off must not be a cheaper day."""
    found = read(write(tmp_path / "day.json", answer(web(), idle())[:-40]))
    assert found.set_codes == ["truncated_file"]


def test_a_day_sent_twice_beside_itself_is_not_counted_twice(tmp_path: Path) -> None:
    """A restated day saved under a second name doubles the cost of that day."""
    write(tmp_path / "a.json", answer(web(), idle()))
    write(tmp_path / "b.json", answer(web(cpuCost=0.2), idle()))
    found = read(tmp_path)
    assert found.set_codes == ["quarantined_cost_share"] * 2
    assert {code for code, _ in found.row_codes} == {"repeated_row"}


def test_a_restated_day_replaces_its_month(tmp_path: Path) -> None:
    """OpenCost reconciles days with the cloud's bill later: the new answer is the truth."""
    path = tmp_path / "2025-10-01.json"
    source = open_source("opencost", "oc", tmp_path, format_options={"currency": "USD"})
    write(path, answer(web()))
    (first,) = source.deliveries()
    write(path, answer(web(cpuCostAdjustment=-0.1)))
    (second,) = source.deliveries()
    assert first.partition == second.partition
    assert first.delivery_id != second.delivery_id


def test_a_day_without_allocations_is_no_broken_file(tmp_path: Path) -> None:
    """OpenCost answers so for days before it ran; a month must not be refused for it."""
    write(tmp_path / "1.json", answer())
    write(tmp_path / "2.json", answer(web(), idle()))
    found = read(tmp_path)
    assert found.landed.billed_landed == {"USD": Decimal("5.51713")}
    assert (found.landed.set_faults, found.quarantine.num_rows) == ((), 0)
    assert "no_rows" in found.conformance


@pytest.mark.parametrize(
    "text", ["", '{"code": 500, "message": "no"}', "[" * 100_000, "42", "null"]
)
def test_what_is_no_answer_is_refused(tmp_path: Path, text: str) -> None:
    """An error saved in place of a day is not a free day."""
    write(tmp_path / "1.json", text)
    write(tmp_path / "2.json", answer(web(), idle()))
    found = read(tmp_path)
    assert found.landed.rows_landed == 0
    assert found.landed.set_faults


def test_documents_are_no_bill_of_other_formats(tmp_path: Path) -> None:
    """Beside provider's exports lie notes in JSON: none of them is a bill."""
    write(tmp_path / "create-table.json", "{}")
    assert list(open_source("focus", "src", tmp_path).deliveries()) == []


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "currency"),
        ({"currency": "$"}, "currency"),
        ({"currency": "USD", "curency": "EUR"}, "curency"),
    ],
)
def test_what_the_answer_does_not_say_is_asked_for(options: dict[str, str], named: str) -> None:
    """A guessed currency is a wrong bill in every report."""
    with pytest.raises(SettingsError) as error:
        open_source("opencost", "oc", Path("x"), format_options=options)
    (fault,) = error.value.faults
    assert fault.column == f"oc: options.{named}"


def test_options_of_a_format_without_any_are_refused() -> None:
    """An option that nothing reads is a setting that does nothing."""
    with pytest.raises(SettingsError, match="options of src"):
        open_source("focus", "src", Path("x"), format_options={"currency": "USD"})


def test_another_currency_is_another_delivery(tmp_path: Path) -> None:
    """Else the month that was landed in the wrong currency stays in force."""
    path = write(tmp_path / "day.json", answer(web()))
    ids: set[str] = set()
    for currency in ("USD", "EUR", "EUR"):
        source = open_source("opencost", "oc", path, format_options={"currency": currency})
        ids.update(one.delivery_id for one in source.deliveries())
    assert len(ids) == 2
