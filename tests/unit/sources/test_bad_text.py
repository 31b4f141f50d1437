"""Bills as text that spreadsheets, uploads and old systems spoiled: mended for sure, or refused."""

from __future__ import annotations

import csv
import gzip
import io
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest


def _text(rows, delimiter: str = ",") -> str:
    out = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row))
    writer = csv.DictWriter(out, columns, delimiter=delimiter, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def _costs(read) -> list[Decimal]:
    return read.rows["billed_cost"].to_pylist()


@pytest.mark.parametrize(
    "encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "utf-8"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_that_say_what_they_are_are_read(
    tmp_path: Path, charge, read_one, encoding: str, packed: bool
) -> None:
    """Spreadsheets save «Unicode text» as UTF-16: no letter and no cent may change."""
    rows = [charge(ResourceName="Zürich – 東京 €", BilledCost="1.10"), charge(BilledCost="2")]
    content = _text(rows, "\t").encode(encoding)
    path = tmp_path / ("b.csv.gz" if packed else "b.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    read = read_one("focus", path)
    assert (read.set_codes, _costs(read)) == ([], [Decimal("1.1"), Decimal(2)])
    assert read.rows["resource_name"].to_pylist() == ["Zürich – 東京 €", None]
    assert ("encoding" in read.conformance) is (encoding not in ("utf-8", "utf-8-sig"))
    assert "delimiter" in read.conformance


def test_a_code_page_is_refused_by_row_column_and_byte(tmp_path, charge, read_one) -> None:
    """E4 is ä in one code page and a Cyrillic letter in another: names would be guesses."""
    path = tmp_path / "b.csv"
    rows = [charge(ServiceName="plain"), charge(ServiceName="Läger"), charge(ServiceName="Öl")]
    path.write_bytes(_text(rows).encode("cp1252"))
    read = read_one("focus", path)
    (fault,) = read.landed.set_faults
    assert (fault.code, fault.file, fault.row, fault.column) == (
        "wrong_encoding", "b.csv", 2, "ServiceName",
    )  # fmt: skip
    assert "E4" in fault.expected and "2 row(s)" in fault.expected
    assert "UTF-8" in fault.hint
    assert read.landed.rows_in == read.quarantine.num_rows == 3


def test_a_header_in_a_code_page_is_refused(tmp_path, charge, read_one) -> None:
    """A column whose name nobody can read may be the one that reports need."""
    path = tmp_path / "b.csv"
    path.write_bytes(_text([charge(x_Größe="1")]).encode("latin-1"))
    (fault,) = read_one("focus", path).landed.set_faults
    assert (fault.code, fault.row) == ("wrong_encoding", 0)
    assert fault.column is not None and fault.column.startswith("x_Gr\ufffd")
    assert "F6 DF" in fault.expected


def test_utf16_cut_in_the_middle_of_a_letter_is_refused(tmp_path, charge, read_one) -> None:
    """Half a letter at the end is half a bill."""
    path = tmp_path / "b.csv"
    path.write_bytes(_text([charge(), charge()]).encode("utf-16")[:-3])
    read = read_one("focus", path)
    (fault,) = read.landed.set_faults
    assert (fault.code, fault.file) == ("wrong_encoding", "b.csv")
    assert read.quarantine.num_rows == 1


def test_semicolons_and_decimal_commas_are_the_same_money(tmp_path, charge, read_one) -> None:
    """A German spreadsheet writes 1.234,56; it is 1234.56, not 1.23456 and not a fault."""
    costs = ["0,5", "-12,345", "1.234,56", "1.234.567,8", "1,234", "7", "", "3,2E-07"]
    wanted = ["0.5", "-12.345", "1234.56", "1234567.8", "1.234", "7", None, "0.00000032"]
    path = tmp_path / "b.csv"
    path.write_text(_text([charge(ListCost=cost) for cost in costs], ";"))
    read = read_one("focus", path)
    assert read.set_codes == []
    assert read.rows["list_cost"].to_pylist() == [w and Decimal(w) for w in wanted]
    assert read.rows["billed_cost"].to_pylist() == [Decimal("1.25")] * len(costs)
    (note,) = [f for f in read.landed.conformance if f.code == "decimal_marks"]
    assert (note.column, "6 row(s)" in note.expected) == ("ListCost", True)


def test_commas_between_thousands_are_no_decimals(tmp_path, charge, read_one) -> None:
    """1,234.56 from an English spreadsheet is read as such where nothing speaks against it."""
    path = tmp_path / "b.csv"
    costs = ["1,234.56", "2,000", "12,345,678", "0.5", "-9,999.01"]
    path.write_text(_text([charge(BilledCost=cost) for cost in costs]))
    read = read_one("focus", path)
    assert read.set_codes == []
    assert _costs(read) == [Decimal(cost.replace(",", "")) for cost in costs]
    assert read.conformance["decimal_marks"] == ["BilledCost"]


@pytest.mark.parametrize(
    "costs",
    [
        ["1,234"],
        ["1,234", "5"],
        ["1.25", "1,234"],
        ["1,25", "1.25"],
        ["1,25", "1.234"],
        ["1,234.5", "1,5"],
        ["1,5", "1,23,456"],
    ],
    ids=str,
)
def test_a_comma_that_may_mean_two_amounts_is_refused(
    tmp_path, charge, read_one, costs: list[str]
) -> None:
    """1,234 is 1234 to one clerk and 1.234 to another: a thousandfold error is not a guess."""
    path = tmp_path / "b.csv"
    path.write_text(_text([charge(BilledCost=cost) for cost in costs], ";"))
    read = read_one("focus", path)
    assert "quarantined_cost_unknown" in read.set_codes
    faults = [f for f in read.landed.row_faults if f.code == "money_unreadable"]
    row = next(n for n, cost in enumerate(costs, 1) if "," in cost)
    assert (faults[0].file, faults[0].row, faults[0].column) == ("b.csv", row, "BilledCost")
    assert "decimal mark or between thousands" in faults[0].expected


def test_files_of_one_delivery_may_write_numbers_differently(tmp_path, charge, read_one) -> None:
    """A comma in one file says nothing of the commas in another."""
    (tmp_path / "a.csv").write_text(_text([charge(BilledCost="1,5"), charge(BilledCost="2,25")]))
    (tmp_path / "b.csv").write_text(_text([charge(BilledCost="1.5")]))
    read = read_one("focus", tmp_path)
    assert (read.set_codes, sorted(_costs(read))) == ([], [Decimal("1.5")] * 2 + [Decimal("2.25")])


def test_a_comma_after_thousands_of_plain_rows_is_seen(tmp_path, charge, read_one) -> None:
    """The marks of a column are told by all of its rows, not by the first ones."""
    path = tmp_path / "b.csv"
    rows = [charge(BilledCost="1", Tags="") for _ in range(3000)] + [charge(BilledCost="0,5")]
    path.write_text(_text(rows, ";"))
    read = read_one("focus", path)
    assert (read.set_codes, sum(_costs(read))) == ([], Decimal("3000.5"))


def test_commas_in_text_that_looks_like_numbers_stay(tmp_path, charge, read_one) -> None:
    """Marks are of money alone: an id keeps every character."""
    path = tmp_path / "b.csv"
    path.write_text(_text([charge(SkuId=sku, BilledCost="2,5") for sku in ("1,5", "2,25")], ";"))
    read = read_one("focus", path)
    assert read.rows["sku_id"].to_pylist() == ["1,5", "2,25"]


def test_bytes_of_zero_are_refused_by_row_and_column(tmp_path, charge, read_one) -> None:
    """A file system that lost power leaves zeros where rows were."""
    path = tmp_path / "b.csv"
    path.write_text(_text([charge(), charge(ResourceName="a\0b"), charge()]))
    read = read_one("focus", path)
    (fault,) = read.landed.set_faults
    assert (fault.code, fault.row, fault.column) == ("zero_bytes", 2, "ResourceName")
    assert read.landed.rows_in == read.quarantine.num_rows == 3


def test_a_tail_of_zeros_is_refused(tmp_path, charge, read_one) -> None:
    """What was allocated but never written is no end of a bill."""
    path = tmp_path / "b.csv"
    path.write_bytes(_text([charge(), charge()]).encode() + b"\0" * 4096)
    read = read_one("focus", path)
    assert "truncated_file" in read.set_codes


def test_a_field_of_ten_megabytes_comes_in_whole(tmp_path, charge, read_one) -> None:
    """Somebody pastes a log into a tag: the bill is still a bill."""
    long = "x" * (10 * 1024 * 1024)
    path = tmp_path / "b.csv"
    rows = [charge(ChargeDescription=long), charge(Tags=f'{{"log": "{long}"}}'), charge()]
    path.write_text(_text(rows))
    read = read_one("focus", path)
    assert (read.set_codes, read.rows.num_rows) == ([], 3)
    rows = {row["row_number"]: row for row in read.rows.to_pylist()}
    assert rows[1]["charge_description"] == dict(rows[2]["tags"])["log"] == long


def test_a_field_that_never_ends_is_refused_by_row(tmp_path, charge, read_one) -> None:
    """A quote that is never closed must not eat memory until the machine stops."""
    path = tmp_path / "b.csv"
    path.write_text(_text([charge(), charge(ChargeDescription="x" * (17 * 1024 * 1024))]))
    read = read_one("focus", path)
    assert [(f.code, f.row) for f in read.landed.set_faults] == [("value_too_long", 2)]


@pytest.mark.parametrize("formula", ["=cmd|' /C calc'!A0", "@SUM(1)", "+1+cmd|'x'!A", "-2+3"])
def test_formula_text_in_tags_and_names_is_data(
    tmp_path, write_csv, charge, read_one, formula: str
) -> None:
    """A tag that a spreadsheet would run is kept as the text it is."""
    tags = f'{{"team": "{formula}", "{formula}": "x"}}'
    path = write_csv(tmp_path / "b.csv", [charge(Tags=tags, ResourceName=formula)])
    read = read_one("focus", path)
    row = read.rows.to_pylist()[0]
    assert dict(row["tags"]) == {"team": formula, formula: "x"}
    assert row["resource_name"] == formula


def test_three_zones_in_one_file_are_instants(tmp_path, write_csv, charge, read_one) -> None:
    """Offices export in their own time: rows must meet in UTC, and the report says so."""
    starts = ["2025-01-10T09:00:00+09:00", "2025-01-09T16:00:00-08:00", "2025-01-10T00:00:00Z"]
    ends = ["2025-01-10T10:30:00+09:00", "2025-01-09T17:30:00-0800", "2025-01-10T01:30:00Z"]
    rows = [
        charge(ChargePeriodStart=start, ChargePeriodEnd=end)
        for start, end in zip(starts, ends, strict=True)
    ]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.set_codes == []
    for column, wanted in (("start", "2025-01-10 00:00:00"), ("end", "2025-01-10 01:30:00")):
        times = {
            str(t.replace(tzinfo=None)) for t in read.rows[f"charge_period_{column}"].to_pylist()
        }
        assert times == {wanted}
    notes = [f for f in read.landed.conformance if f.code == "time_in_other_zone"]
    assert {f.column for f in notes} == {"ChargePeriodStart", "ChargePeriodEnd"}
    assert all("2 row(s)" in f.expected for f in notes)


def test_mixed_currencies_are_never_one_sum(tmp_path, write_csv, charge, read_one) -> None:
    """100 JPY and 100 EUR in one file are two totals."""
    rows = [
        charge(BilledCost="100", BillingCurrency="JPY"),
        charge(BilledCost="100", BillingCurrency="EUR"),
        charge(BilledCost="0.5", BillingCurrency="EUR"),
    ]
    landed = read_one("focus", write_csv(tmp_path / "b.csv", rows)).landed
    assert landed.billed_landed == {"EUR": Decimal("100.5"), "JPY": Decimal(100)}
    assert landed.file_billed == landed.billed_landed


def test_one_currency_in_two_spellings_is_one_sum(tmp_path, write_csv, charge, read_one) -> None:
    """usd and USD apart would hide half of a bill from every limit."""
    rows = [charge(BillingCurrency=code) for code in ("usd", "USD", " USD ")]
    landed = read_one("focus", write_csv(tmp_path / "b.csv", rows)).landed
    assert landed.billed_landed == {"USD": Decimal("3.75")}
    (note,) = [f for f in landed.conformance if f.code == "currency_spelling"]
    assert (note.column, "2 row(s)" in note.expected) == ("BillingCurrency", True)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"PK\x03\x04 and so on", "ZIP"),
        (b"\x28\xb5\x2f\xfd and so on", "zstd"),
        (b"\n<!DOCTYPE html>\n<html>sign in</html>", "web page"),
    ],
    ids=["zip", "zstd", "html"],
)
def test_what_is_no_text_is_named(tmp_path, read_one, content: bytes, kind: str) -> None:
    """A sign-in page saved as bill.csv must not be a list of missing columns."""
    (tmp_path / "b.csv").write_bytes(content)
    (fault,) = read_one("focus", tmp_path).landed.set_faults
    assert (fault.code, fault.file, kind in fault.expected) == ("not_text", "b.csv", True)


def test_blank_lines_before_the_header_are_no_header(tmp_path, charge, read_one) -> None:
    """Some query tools begin with an empty line."""
    (tmp_path / "b.csv").write_text("\n\n" + _text([charge(), charge()]))
    read = read_one("focus", tmp_path)
    assert (read.set_codes, read.rows["row_number"].to_pylist()) == ([], [1, 2])


def test_a_period_without_rows_is_refused_by_name(tmp_path, write_csv, charge, read_one) -> None:
    """An export that failed leaves a header: taken for a bill it would erase the month."""
    folder = tmp_path / "billing_period=2025-01-01"
    path = write_csv(folder / "a.csv", [charge()])
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    read = read_one("focus", tmp_path)
    (fault,) = read.landed.set_faults
    assert (fault.code, fault.file) == ("no_rows", "billing_period=2025-01-01/a.csv")
    assert "2025-01" in fault.expected and "export run again" in fault.hint


def test_a_period_that_is_said_to_be_empty_is_taken_in(
    tmp_path, write_csv, charge, note, read_one
) -> None:
    """A month in which nothing was spent exists; its sender says so."""
    folder = tmp_path / "billing_period=2025-01-01" / "one"
    path = write_csv(folder / "a.csv", [charge()])
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    note(folder, files=[{"path": "a.csv", "rows": 0}])
    read = read_one("focus", tmp_path)
    assert (read.set_codes, read.landed.rows_in) == ([], 0)
    assert "no_rows" in read.conformance


def test_an_empty_part_of_a_bill_is_noted(tmp_path, write_csv, charge, read_one) -> None:
    """Writers split by hash leave parts without rows: the bill is whole, the part is named."""
    write_csv(tmp_path / "a.csv", [charge()])
    part = write_csv(tmp_path / "b.csv", [charge()])
    part.write_text(part.read_text().splitlines(keepends=True)[0])
    read = read_one("focus", tmp_path)
    assert (read.set_codes, read.rows.num_rows) == ([], 1)
    assert [f.file for f in read.landed.conformance if f.code == "no_rows"] == ["b.csv"]


def test_two_spellings_of_one_column_must_agree(tmp_path, write_csv, charge, read_one) -> None:
    """A merged table may have BilledCost and billedcost: money that differs is refused."""
    path = write_csv(tmp_path / "b.csv", [charge(billedcost="1.25"), charge(billedcost="7")])
    read = read_one("focus", path)
    faults = [(f.code, f.row, f.column) for f in read.landed.row_faults]
    assert faults == [("duplicate_column", 2, "BilledCost")]


def test_a_column_twice_in_parquet_must_agree(tmp_path, charge, read_one) -> None:
    """Parquet allows two columns of one name; so does the check."""
    names, values = zip(*charge().items(), strict=True)
    arrays = [pa.array([value]) for value in (*values, "9", "i-2")]
    table = pa.table(arrays, names=[*names, "BilledCost", "ResourceId"])
    pq.write_table(table, tmp_path / "b.parquet")
    read = read_one("focus", tmp_path / "b.parquet")
    assert [(f.code, f.column) for f in read.landed.row_faults] == [
        ("duplicate_column", "BilledCost")
    ]
    assert "ResourceId" in read.conformance["duplicate_column"]


def test_a_header_in_another_case_is_reported_column_by_column(
    tmp_path, write_csv, charge, read_one
) -> None:
    """Warehouses fold names to lower case or to underscores: the bill is the same."""
    lower = {key.lower(): value for key, value in charge().items()}
    read = read_one("focus", write_csv(tmp_path / "b.csv", [lower]))
    assert (read.set_codes, _costs(read)) == ([], [Decimal("1.25")])
    assert sorted(read.conformance["column_name"]) == sorted(lower)


def test_ragged_rows_are_refused_at_the_first(tmp_path, write_csv, charge, read_one) -> None:
    """A stray delimiter shifts every value after it."""
    path = write_csv(tmp_path / "b.csv", [charge(Tags="") for _ in range(4)])
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = lines[2].replace("USD", "USD,")
    path.write_text("".join(lines))
    (fault,) = read_one("focus", path).landed.set_faults
    assert (fault.code, fault.file, fault.row) == ("field_count", "b.csv", 2)
    assert "12 values" in fault.expected
