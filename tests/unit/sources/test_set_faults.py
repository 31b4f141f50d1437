"""Faults of a delivery as a whole: nothing of it is taken in, and no row of it is lost."""

from __future__ import annotations

import gzip
import hashlib
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from finops_dagster.domain.errors import Stopped
from finops_dagster.sources import Limits, open_source


def total(account: str = "000123", cost: str = "2.50", **changed: str) -> dict[str, str]:
    return {
        "billing_account_id": account,
        "billing_currency": "USD",
        "start": "2025-01-01",
        "end": "2025-02-01",
        "billed_cost": cost,
        **changed,
    }


def test_csv_cut_in_a_quoted_value_is_refused_by_row(tmp_path, write_csv, charge, read_one) -> None:
    """DuckDB's and Arrow's parsers both take such a file, one row short or one value wrong."""
    path = write_csv(tmp_path / "b.csv", [charge(), charge(), charge()])
    path.write_bytes(path.read_bytes()[:-9])
    read = read_one("focus", path)
    assert read.set_codes == ["truncated_file"]
    assert read.landed.set_faults[0].row == 3
    assert read.rows.num_rows == 0
    assert read.quarantine["row_number"].to_pylist() == [1, 2, 3]
    assert all("truncated_file" in reasons[0] for reasons in read.quarantine["reasons"].to_pylist())
    assert read.landed.rows_in == read.landed.rows_quarantined == 3
    assert read.landed.quarantined_cost_unknown == 1


def test_csv_cut_where_a_quote_ends_is_refused_by_row(
    tmp_path, write_csv, charge, read_one
) -> None:
    """Cut between the two quotes of an escaped one, the rest is well-formed CSV, but no tags."""
    path = write_csv(tmp_path / "b.csv", [charge(), charge()])
    path.write_bytes(path.read_bytes()[:-10])
    read = read_one("focus", path)
    assert [(f.code, f.row) for f in read.landed.set_faults] == [("truncated_file", 2)]
    assert read.quarantine.num_rows == 2


@pytest.mark.parametrize("name", ["plain", 'a 5" disk'])
def test_csv_without_a_last_line_end_is_whole(
    tmp_path, write_csv, charge, read_one, name: str
) -> None:
    """Spreadsheets leave it out: a good bill must not be refused for it, only marked."""
    path = write_csv(tmp_path / "b.csv", [charge(), charge()])
    text = path.read_text().rstrip().replace("i-1", name)
    path.write_text(text)
    read = read_one("focus", path)
    assert (read.set_codes, read.rows.num_rows) == ([], 2)
    assert read.rows["resource_id"].to_pylist() == [name] * 2
    assert "no_final_line_end" in read.conformance


def test_csv_whose_last_row_lacks_values_is_refused_by_row(
    tmp_path, write_csv, charge, read_one
) -> None:
    """An upload that stopped between two commas looks like a bill with one row less."""
    path = write_csv(tmp_path / "b.csv", [charge(), charge(Tags="")])
    text = path.read_text()
    path.write_text(text[: text.rindex("USD") + 3])
    read = read_one("focus", path)
    assert read.set_codes == ["truncated_file"]
    assert read.landed.set_faults[0].row == 2
    assert read.quarantine["row_number"].to_pylist() == [1, 2]


def test_csv_with_a_short_row_in_the_middle_is_refused_by_row(
    tmp_path, write_csv, charge, read_one
) -> None:
    """A row whose values shifted left would bill one column as another."""
    path = write_csv(tmp_path / "b.csv", [charge(), charge(), charge()])
    lines = path.read_text().splitlines(keepends=True)
    lines[2] = "1,2,3\n"
    path.write_text("".join(lines))
    read = read_one("focus", path)
    assert [(f.code, f.row) for f in read.landed.set_faults] == [("field_count", 2)]
    assert "1,2,3" in read.quarantine["raw"].to_pylist()[-1]
    assert read.quarantine.num_rows == 3


def test_csv_that_is_not_utf8_is_refused_by_row(tmp_path, write_csv, charge, read_one) -> None:
    """Guessing an encoding renames teams and resources."""
    path = write_csv(tmp_path / "b.csv", [charge(), charge(ResourceId="caf\u00e9")])
    path.write_bytes(path.read_bytes().replace("caf\u00e9".encode(), b"caf\xe9"))
    read = read_one("focus", path)
    assert [(f.code, f.row) for f in read.landed.set_faults] == [("wrong_encoding", 2)]
    assert read.quarantine.num_rows == 2


def test_packed_csv_cut_in_the_middle_is_refused(tmp_path, write_csv, charge, read_one) -> None:
    """DuckDB reads a cut gzip to where it ends and says nothing."""
    rows = [charge(ResourceId=hashlib.sha256(str(n).encode()).hexdigest()) for n in range(2000)]
    plain = write_csv(tmp_path / "plain", rows).read_bytes()
    path = tmp_path / "in" / "b.csv.gz"
    path.parent.mkdir()
    packed = gzip.compress(plain)
    path.write_bytes(packed[: len(packed) // 2])
    read = read_one("focus", path.parent)
    assert "truncated_file" in read.set_codes
    assert read.rows.num_rows == 0
    assert 500 < read.quarantine.num_rows < 2000


def test_parquet_cut_in_the_middle_is_refused_and_leaves_a_trace(
    tmp_path, charge, read_one
) -> None:
    """A Parquet file without its footer has no rows; its absence must not look like no cost."""
    path = tmp_path / "billing_period=2025-01-01" / "d" / "b.parquet"
    path.parent.mkdir(parents=True)
    pq.write_table(pa.Table.from_pylist([charge()] * 1000), path)
    path.write_bytes(path.read_bytes()[:-200])
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["truncated_file"]
    assert read.landed.set_faults[0].file == "billing_period=2025-01-01/d/b.parquet"
    assert read.quarantine.num_rows == read.landed.rows_quarantined == read.landed.rows_in == 1
    assert read.landed.quarantined_cost_unknown == 1


def test_parquet_with_damaged_pages_is_refused(tmp_path, charge, read_one) -> None:
    """A whole footer over damaged pages fails only when the page is read: before rows go out."""
    path = tmp_path / "billing_period=2025-01-01" / "d" / "b.parquet"
    path.parent.mkdir(parents=True)
    rows = [charge(ResourceId=hashlib.sha256(str(n).encode()).hexdigest()) for n in range(5000)]
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = b"\x00" * 4000
    path.write_bytes(bytes(content))
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["unreadable_file"]
    assert read.rows.num_rows == 0
    assert read.quarantine.num_rows == 1


def test_file_listed_twice_by_path(tmp_path, write_csv, charge, note, read_one) -> None:
    """Its cost would be counted twice."""
    write_csv(tmp_path / "d" / "a.csv", [charge()])
    note(tmp_path / "d", files=[{"path": "a.csv"}, {"path": "a.csv"}])
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["file_listed_twice"]
    assert read.quarantine.num_rows == 1


def test_file_listed_twice_by_bytes(tmp_path, write_csv, charge, note, read_one) -> None:
    """A copy under another name counts its cost twice as well."""
    for name in ("a.csv", "b.csv"):
        write_csv(tmp_path / "d" / name, [charge()])
    note(tmp_path / "d", files=[{"path": "a.csv"}, {"path": "b.csv"}])
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["file_listed_twice"]
    assert read.landed.billed_landed == {}
    assert read.landed.billed_quarantined == {"USD": Decimal("2.5")}


def test_two_empty_parts_are_not_one_file_twice(tmp_path, write_csv, charge, read_one) -> None:
    """Writers leave header-only parts behind: accusing them would stop a good bill."""
    write_csv(tmp_path / "a.csv", [charge()])
    header = (tmp_path / "a.csv").read_text().splitlines(keepends=True)[0]
    for name in ("b.csv", "c.csv"):
        (tmp_path / name).write_text(header)
    assert read_one("focus", tmp_path).set_codes == []


def test_listed_file_that_is_missing(tmp_path, write_csv, charge, note, read_one) -> None:
    """A delivery half uploaded is a bill too low."""
    write_csv(tmp_path / "billing_period=2025-01" / "d" / "a.csv", [charge()])
    note(tmp_path / "billing_period=2025-01" / "d", files=[{"path": "a.csv"}, {"path": "b.csv"}])
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["file_missing"]
    assert read.landed.set_faults[0].file == "billing_period=2025-01/d/b.csv"
    assert read.quarantine.num_rows == 2


@pytest.mark.parametrize("path", ["../../outside.csv", "/etc/passwd", "link.csv", "x/../../../o"])
def test_listed_path_outside_of_the_source(
    tmp_path, write_csv, charge, note, read_one, path: str
) -> None:
    """A hostile note must not make any file of the machine readable as a bill."""
    write_csv(tmp_path / "outside.csv", [charge()])
    inside = tmp_path / "exports" / "billing_period=2025-01-01" / "d"
    write_csv(inside / "a.csv", [charge()])
    (inside / "link.csv").symlink_to(tmp_path / "outside.csv")
    note(inside, files=[{"path": "a.csv"}, {"path": path}])
    read = read_one("focus", tmp_path / "exports")
    assert read.set_codes == ["path_outside_source"]
    assert read.rows.num_rows == 0
    assert "root:" not in str(read.quarantine.to_pylist())


def test_rows_and_sha256_other_than_the_note_says(
    tmp_path, write_csv, charge, note, read_one
) -> None:
    """The sender's own count is the one check that knows what was meant to arrive."""
    write_csv(tmp_path / "d" / "a.csv", [charge()])
    note(tmp_path / "d", files=[{"path": "a.csv", "rows": 2, "sha256": "0" * 64}])
    assert read_one("focus", tmp_path).set_codes == ["row_count_differs", "sha256_differs"]


def test_rows_and_sha256_as_the_note_says(tmp_path, write_csv, charge, note, read_one) -> None:
    """A check that accuses what is right is switched off by its users."""
    path = write_csv(tmp_path / "d" / "a.csv", [charge()])
    digest = hashlib.sha256(path.read_bytes()).hexdigest().upper()
    note(tmp_path / "d", files=[{"path": "a.csv", "rows": 1, "sha256": digest}])
    assert read_one("focus", tmp_path).set_codes == []


@pytest.mark.parametrize("text", ["{", "[]", '{"known_at": "yesterday"}', '{"files": [{}]}'])
def test_note_that_cannot_be_read(tmp_path, write_csv, charge, read_one, text: str) -> None:
    """Falling back to a glob would take in files the sender meant to leave out."""
    folder = tmp_path / "billing_period=2025-01-01" / "d"
    write_csv(folder / "a.csv", [charge()])
    (folder / "_delivery.json").write_text(text)
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["manifest_unreadable"]
    assert read.quarantine.num_rows == 1


def test_required_column_missing(tmp_path, write_csv, charge, read_one) -> None:
    """Without EffectiveCost every saving and every budget would be of nothing."""
    row = charge()
    del row["EffectiveCost"]
    read = read_one("focus", write_csv(tmp_path / "b.csv", [row, row]))
    assert [(f.code, f.column) for f in read.landed.set_faults] == [
        ("column_missing", "EffectiveCost")
    ]
    assert read.quarantine.num_rows == 2
    assert read.landed.billed_quarantined == {"USD": Decimal("2.5")}


def test_currency_missing_where_there_is_cost_stops_the_bill(
    tmp_path, write_csv, charge, read_one
) -> None:
    """Cost without a currency cannot be added to anything: its share is not known."""
    rows = [charge(), charge(BillingCurrency="")]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.set_codes == ["quarantined_cost_unknown"]
    assert read.row_codes == [("value_missing", "BillingCurrency")]
    assert "currency missing where there is cost" in str(read.quarantine["reasons"].to_pylist())
    assert read.rows.num_rows == 0


def test_quarantined_share_is_of_absolute_cost(tmp_path, write_csv, charge, read_one) -> None:
    """A broken credit and a broken charge that cancel are not a share of nothing."""
    broken = {"ChargePeriodStart": "soon"}
    rows = [
        charge(BilledCost="98"),
        charge(BilledCost="1", **broken),
        charge(BilledCost="-1", ChargeCategory="Credit", **broken),
    ]
    path = write_csv(tmp_path / "b.csv", rows)
    limits = Limits(quarantined_cost_share=Decimal("0.019"))
    assert read_one("focus", path, limits).set_codes == ["quarantined_cost_share"] * 2
    limits = Limits(quarantined_cost_share=Decimal("0.67"))
    read = read_one("focus", path, limits)
    assert (read.set_codes, read.rows.num_rows, read.quarantine.num_rows) == ([], 1, 2)


def test_covered_use_counts_by_its_effective_cost(tmp_path, write_csv, charge, read_one) -> None:
    """Use under a commitment is billed at zero: by billed cost alone it could vanish unseen."""
    rows = [charge(), charge(BilledCost="0", EffectiveCost="5", ChargePeriodEnd="never")]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.set_codes == ["quarantined_cost_share"]
    assert read.landed.set_faults[0].column == "EffectiveCost"


def test_rows_without_cost_may_be_set_aside(tmp_path, write_csv, charge, read_one) -> None:
    """A free row with a fault must not hold up the bill: its share of cost is known, and nil."""
    free = charge(BilledCost="0", EffectiveCost="0", BillingCurrency="", ChargeCategory="Gift")
    read = read_one("focus", write_csv(tmp_path / "b.csv", [charge(), free]))
    assert read.set_codes == []
    assert (read.rows.num_rows, read.quarantine.num_rows) == (1, 1)
    assert read.landed.rows_in == read.landed.rows_landed + read.landed.rows_quarantined == 2


def test_invoice_met_within_its_tolerance(tmp_path, write_csv, charge, note, read_one) -> None:
    """Invoices are rounded to the cent, bills are not."""
    write_csv(tmp_path / "d" / "a.csv", [charge(), charge(BilledCost="1.2549")])
    note(tmp_path / "d", control_totals=[total(cost="2.50")])
    assert read_one("focus", tmp_path).set_codes == []


@pytest.mark.parametrize("cost", ["2.60", "2.40", "-2.50"])
def test_invoice_not_met(tmp_path, write_csv, charge, note, read_one, cost: str) -> None:
    """A bill that is not the invoice is wrong in either direction."""
    write_csv(tmp_path / "d" / "a.csv", [charge(), charge()])
    note(tmp_path / "d", control_totals=[total(cost=cost)])
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["invoice_differs"]
    assert "000123" in str(read.landed.set_faults[0])


def test_invoiced_account_without_any_charge(tmp_path, write_csv, charge, note, read_one) -> None:
    """An account that fell out of the export is not one that spends nothing."""
    write_csv(tmp_path / "d" / "a.csv", [charge()])
    note(tmp_path / "d", control_totals=[total(cost="1.25"), total(account="other", cost="7")])
    assert read_one("focus", tmp_path).set_codes == ["spend_far_below_invoice"]


def test_daily_spend_far_below_the_invoice_whatever_the_tolerance(
    tmp_path, write_csv, charge, note, read_one
) -> None:
    """Ninety per cent gone is lost rows, not a difference anyone meant to tolerate."""
    write_csv(tmp_path / "d" / "a.csv", [charge(), charge()])
    note(tmp_path / "d", control_totals=[total(cost="25")])
    read = read_one("focus", tmp_path, Limits(invoice_tolerance=Decimal(1)))
    assert read.set_codes == ["spend_far_below_invoice"]
    assert "90.00 % less" in str(read.landed.set_faults[0])


def test_one_day_far_below_the_invoice_is_named(
    tmp_path, write_csv, charge, note, read_one
) -> None:
    """Who mends the export has to know which day to export again."""
    rows = [
        charge(
            BilledCost="1" if day == 7 else "10",
            ChargePeriodStart=f"2025-01-{day:02}T00:00:00Z",
            ChargePeriodEnd=f"2025-01-{day:02}T01:00:00Z",
        )
        for day in range(1, 11)
    ]
    write_csv(tmp_path / "d" / "a.csv", rows)
    note(tmp_path / "d", control_totals=[total(cost="100", end="2025-01-11")])
    read = read_one("focus", tmp_path)
    assert read.set_codes == ["invoice_differs"]
    assert "2025-01-07" in str(read.landed.set_faults[0])


def test_corrections_of_another_month_belong_to_this_invoice(
    tmp_path, write_csv, charge, note, read_one
) -> None:
    """A correction keeps its old charge period but is invoiced now: leaving it out accuses."""
    correction = charge(
        BilledCost="-1",
        ChargeClass="Correction",
        ChargePeriodStart="2024-11-03T00:00:00Z",
        ChargePeriodEnd="2024-11-04T00:00:00Z",
    )
    write_csv(tmp_path / "d" / "a.csv", [charge(), correction])
    note(tmp_path / "d", control_totals=[total(cost="0.25")])
    assert read_one("focus", tmp_path).set_codes == []


def test_costs_too_large_to_add_up(tmp_path, write_csv, charge, read_one) -> None:
    """A sum that overflows must stop the bill, not the program."""
    rows = [charge(BilledCost="9" * 18), charge(BilledCost="9" * 18)]
    read = read_one("focus", write_csv(tmp_path / "b.csv", rows))
    assert read.set_codes == ["sum_overflow"]
    assert read.quarantine.num_rows == 2


def test_delivery_that_lists_no_file(tmp_path, note, read_one) -> None:
    """An empty list is a fault of the sender, not a month without cost."""
    note(tmp_path / "billing_period=2025-01-01" / "d", files=[])
    assert read_one("focus", tmp_path).set_codes == ["no_files"]


def test_set_faults_are_known_before_any_row_is_given(tmp_path: Path, write_csv, charge) -> None:
    """Rows handed out before the fault is found are rows that land."""
    path = write_csv(tmp_path / "b.csv", [charge(), charge(BillingCurrency="")])
    source = open_source("focus", "src", path)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        assert [fault.code for fault in result.set_faults] == ["quarantined_cost_unknown"]
        assert result.rows.read_all().num_rows == 0
        with pytest.raises(RuntimeError):
            _ = result.landed


def test_damage_met_while_rows_go_out_stops_the_line(tmp_path, charge) -> None:
    """A big bill is read twice: pages that only the second reading sees must not land half."""
    folder = tmp_path / "billing_period=2025-01-01" / "d"
    folder.mkdir(parents=True)
    rows = 30_000
    table = pa.table(
        {
            **{key: pa.array([value] * rows) for key, value in charge().items()},
            "ListUnitPrice": pa.array(
                [Decimal(n * 7919 % 1_000_003) for n in range(rows)], pa.decimal128(20, 2)
            ),
        }
    )
    path = folder / "b.parquet"
    pq.write_table(table, path, compression="gzip", use_dictionary=["BillingCurrency"])
    column = pq.read_metadata(path).row_group(0).column(table.schema.names.index("ListUnitPrice"))
    content = bytearray(path.read_bytes())
    start = column.data_page_offset + column.total_compressed_size // 2
    content[start : start + 2000] = b"\xff" * 2000
    path.write_bytes(bytes(content))
    source = open_source("focus", "src", tmp_path)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        assert result.set_faults == ()
        with pytest.raises(Stopped) as caught:
            result.rows.read_all()
    assert caught.value.faults[0].code == "unreadable_file"


def test_a_bill_cut_anywhere_is_refused_or_says_so(tmp_path, write_csv, charge, read_one) -> None:
    """Uploads stop at any byte: none of the places may pass for a whole bill in silence.

    A cut right behind a line end leaves a whole file; only counts or totals can tell that one.
    """
    whole = write_csv(tmp_path / "b.csv", [charge(ResourceName=f"web {n}") for n in range(3)])
    content = whole.read_bytes()
    body = content.index(b"\n") + 1
    path = tmp_path / "cut" / "b.csv"
    path.parent.mkdir()
    for end in range(body + 1, len(content), 7):
        if content[end - 1 : end] in (b"\n", b"\r"):
            continue
        path.write_bytes(content[:end])
        read = read_one("focus", path)
        assert read.set_codes or "no_final_line_end" in read.conformance, content[body:end]
        assert read.landed.rows_in == read.rows.num_rows + read.quarantine.num_rows > 0


def test_a_file_of_no_bytes_was_never_written(tmp_path, read_one) -> None:
    """A month in which nothing was spent has a header at least."""
    path = tmp_path / "billing_period=2025-01-01" / "a.csv"
    path.parent.mkdir()
    path.write_text("")
    assert read_one("focus", tmp_path).set_codes == ["empty_file"]
