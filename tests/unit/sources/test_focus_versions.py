"""FOCUS 1.0 to 1.4: which version a file is, what each one renamed, and what is no bill at all."""

from __future__ import annotations

import csv
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.schemas import FOCUS_COLUMNS
from finops_dagster.sources.focus_words import focus_name


def _model(shared: Path) -> dict[str, dict[str, object]]:
    (path,) = (shared / "billing").rglob("focus_1_4_model.json")
    datasets = json.loads(path.read_text(encoding="utf-8"))["datasets"]
    return {name: dataset["columns"] for name, dataset in datasets.items()}


def test_the_table_is_every_column_of_1_4_and_what_it_dropped(shared: Path) -> None:
    """A column that lands nowhere is lost to every report."""
    ours = {focus_name(column.name) for column in FOCUS_COLUMNS}
    assert ours == {*_model(shared)["Cost and Usage"], "ProviderName", "PublisherName"}


def _told(version: str) -> dict[str, str]:
    """Columns beside the required ones that tell a version."""
    return {
        "1.0": {"ProviderName": "P"},
        "1.1": {"ProviderName": "P", "SkuMeter": "Compute"},
        "1.2": {"ProviderName": "P", "InvoiceId": "1"},
        "1.3": {"ProviderName": "P", "ServiceProviderName": "S", "HostProviderName": "H"},
        "1.4": {"ServiceProviderName": "S", "HostProviderName": "H"},
    }[version]


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4"])
def test_version_is_told_and_kept(tmp_path, write_csv, charge, read_one, version: str) -> None:
    """Whoever sees odd figures asks first which version the export was."""
    read = read_one("focus", write_csv(tmp_path / "b.csv", [charge(**_told(version))]))
    assert read.landed.versions == (version,)
    assert read.conformance["focus_version"] == [None]
    provider = "S" if version == "1.4" else "P"
    assert read.rows["provider_name"].to_pylist() == [provider]
    assert ("provider_filled" in read.conformance) is (version == "1.4")
    absent = read.conformance["column_absent"] + read.conformance.get("column_of_newer_version", [])
    assert ("PublisherName" in absent) is (version != "1.4")


def test_a_column_of_1_4_alone_tells_it(tmp_path, write_csv, charge, read_one) -> None:
    """A provider in transition has the old names and the new columns."""
    row = charge(ProviderName="P", PublisherName="P", InvoiceDetailId="000123")
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row]))
    (fault,) = [f for f in read.landed.conformance if f.code == "focus_version"]
    assert "FOCUS 1.4." in fault.expected
    assert read.rows["invoice_detail_id"].to_pylist() == ["000123"]


def test_versions_of_one_delivery_are_all_kept(tmp_path, write_csv, charge, read_one) -> None:
    """The month in which a provider changes its export has both."""
    write_csv(tmp_path / "a.csv", [charge(**_told("1.4"))])
    write_csv(tmp_path / "b.csv", [charge(**_told("1.0"))])
    read = read_one("focus", tmp_path)
    assert (read.landed.versions, read.rows.num_rows) == (("1.0", "1.4"), 2)


def test_provider_is_filled_row_by_row(tmp_path, write_csv, charge, read_one) -> None:
    """1.3 has old and new names side by side: the old one counts where it has a value."""
    rows = [
        charge(ProviderName="P", ServiceProviderName="S", HostProviderName="H"),
        charge(ProviderName="", ServiceProviderName="S", HostProviderName="H"),
        charge(ProviderName="NULL", ServiceProviderName="", HostProviderName="H"),
        charge(ProviderName="", ServiceProviderName="", HostProviderName=""),
    ]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.rows["provider_name"].to_pylist() == ["P", "S", "H", None]
    assert read.rows["service_provider_name"].to_pylist() == ["S", "S", None, None]
    (note,) = [f for f in read.landed.conformance if f.code == "provider_filled"]
    assert "2 row(s)" in note.expected


_APPLIED = '{"Elements": [{"%s": "c-1", "%s": "cc", "ContractCommitmentAppliedCost": 0.10}]}'


def test_contract_keys_of_1_3_and_1_4_are_one(tmp_path, write_csv, charge, read_one) -> None:
    """A join by ContractId must find what 1.3 wrote as ContractID; values keep their text."""
    old = _APPLIED % ("ContractID", "ContractCommitmentID")
    new = _APPLIED % ("ContractId", "ContractCommitmentId")
    quoting = '{"Elements": [{"ContractId": "the \\"ContractID\\": of old"}]}'
    rows = [charge(ContractApplied=text) for text in (old, new, quoting, "", "no JSON")]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.rows["contract_applied"].to_pylist() == [new, new, quoting, None, "no JSON"]
    counted = {f.code: f.expected for f in read.landed.conformance}
    assert "1 row(s)" in counted["json_keys"]
    assert "1 row(s)" in counted["json_unreadable"]


def test_contract_as_a_struct_is_the_same_json(tmp_path, charge, read_one) -> None:
    """Parquet exports have structs where CSV has text."""
    applied = {"Elements": [{"ContractID": "c-1", "ContractCommitmentID": "cc"}]}
    row = charge(ContractApplied=applied, AllocatedTags=[("team", "a")], Tags=[("team", "b")])
    arrays = {
        name: pa.array([value], pa.map_(pa.string(), pa.string()) if "Tags" in name else None)
        for name, value in row.items()
    }
    pq.write_table(pa.table(arrays), tmp_path / "b.parquet")
    (landed,) = read_one("focus", tmp_path / "b.parquet").rows.to_pylist()
    assert json.loads(landed["contract_applied"]) == {
        "Elements": [{"ContractId": "c-1", "ContractCommitmentId": "cc"}]
    }
    assert (landed["allocated_tags"], landed["tags"]) == ([("team", "a")], [("team", "b")])


def test_allocated_tags_are_maps_in_every_notation(tmp_path, write_csv, charge, read_one) -> None:
    """Who a shared host's cost was allocated to is in these tags."""
    texts = ['{"team": "a"}', "team=a;env=b", "no tags at all", ""]
    rows = [charge(AllocatedTags=text) for text in texts]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.rows["allocated_tags"].to_pylist() == [
        [("team", "a")], [("team", "a"), ("env", "b")], None, None,
    ]  # fmt: skip
    assert read.conformance["tags_unreadable"] == ["AllocatedTags"]
    assert dict(read.rows["x_columns"].to_pylist()[2]) == {"AllocatedTags": "no tags at all"}


@pytest.mark.parametrize("dataset", ["Contract Commitment", "Billing Period", "Invoice Detail"])
def test_other_datasets_are_no_bill(tmp_path, write_csv, shared: Path, read_one, dataset) -> None:
    """A file of contracts under the bills must be named as such, not by nine missing columns."""
    row = dict.fromkeys(_model(shared)[dataset], "1")
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row]))
    (fault,) = read.landed.set_faults
    assert (fault.code, fault.file) == ("not_a_bill", "b.csv")
    assert dataset in fault.expected and "Cost and Usage" in fault.hint
    assert read.quarantine.num_rows == 1


def test_a_file_of_1_4_with_all_columns_lands_every_value(
    tmp_path, write_csv, charge, shared: Path, read_one
) -> None:
    """No value of the newest version may end among the unknown columns."""
    model = _model(shared)["Cost and Usage"]
    kinds = {name: str(column["data_type"]) for name, column in model.items()}
    made = {"Decimal": "0.1", "JSON": '{"a": "b"}', "String": "text"}
    row = {name: made.get(kind, "2025-01-01T00:00:00Z") for name, kind in kinds.items()}
    words = {"ChargeClass": "", "ChargeFrequency": "Usage-Based", "CommitmentDiscountStatus": ""}
    read = read_one("focus", write_csv(tmp_path / "b.csv", [{**row, **charge(), **words}]))
    assert (read.set_codes, read.landed.versions) == ([], ("1.4",))
    (landed,) = read.rows.to_pylist()
    empty = {name for name in landed if landed[name] is None}
    assert empty == {"charge_class", "commitment_discount_status", "publisher_name", "x_columns"}
    assert "column_unknown" not in read.conformance


def test_goldens_sum_to_the_last_digit(shared: Path, read_one) -> None:
    """Whatever version and provider: what the file says is what lands, per currency."""
    folder = shared / "billing" / "focus_goldens_1_2_and_1_3"
    paths = sorted(folder.rglob("*_cost_and_usage_*.csv"))
    assert paths
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        by_file: Counter[str] = Counter()
        for row in rows:
            by_file[row["BillingCurrency"]] += Decimal(row["BilledCost"])
        read = read_one("focus", path)
        landed = read.landed
        assert landed.billed_landed == landed.file_billed == dict(by_file), path.name
        for column in ("EffectiveCost", "PricingCurrencyEffectiveCost", "ListCost"):
            name = "".join(f"_{c.lower()}" if c.isupper() else c for c in column)[1:]
            exact = sum(Decimal(row[column] or 0) for row in rows)
            assert sum(v or 0 for v in read.rows[name].to_pylist()) == exact, (path.name, column)
        version = ("1.3",) if "_1_3_" in path.name else ("1.2",)
        assert landed.versions == version
        if version == ("1.3",):
            split = [row for row in rows if row["AllocatedTags"]]
            tags = [dict(t) for t in read.rows["allocated_tags"].to_pylist() if t]
            assert tags == [json.loads(row["AllocatedTags"]) for row in split]
