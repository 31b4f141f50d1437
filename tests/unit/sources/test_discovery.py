"""Deliveries on disk: what is one, when it was known, and which id it has."""

from __future__ import annotations

import gc
import os
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from finops_dagster.domain.errors import SettingsError, Unavailable
from finops_dagster.sources import ReadOptions, open_source, spools


def found(path: Path, format_name: str = "focus"):
    return list(open_source(format_name, "src", path).deliveries())


def test_note_gives_time_files_and_totals(tmp_path, write_csv, charge, note) -> None:
    """Where the sender says when and what, nothing is guessed."""
    folder = tmp_path / "billing_period=2025-01-01" / "d1"
    write_csv(folder / "a.csv", [charge()])
    write_csv(folder / "leftover.csv", [charge()])
    total = {
        "billing_account_id": "000123", "billing_currency": "USD", "start": "2025-01-01",
        "end": "2025-02-01", "billed_cost": "1.25",
    }  # fmt: skip
    note(folder, files=[{"path": "a.csv"}], control_totals=[total])
    (delivery,) = found(tmp_path)
    assert delivery.known_at == datetime(2025, 1, 5, 3, tzinfo=UTC)
    assert [str(f.path) for f in delivery.files] == ["billing_period=2025-01-01/d1/a.csv"]
    assert delivery.partition == date(2025, 1, 1)
    assert delivery.control_totals[0].billed_cost.as_tuple().digits == (1, 2, 5)


def test_bare_file_is_known_when_it_was_last_changed(tmp_path, write_csv, charge) -> None:
    """Without a note the newest file's time is when the delivery was whole."""
    for name, moment in (("a.csv", 1_700_000_000), ("b.csv", 1_700_000_500)):
        os.utime(write_csv(tmp_path / name, [charge(ResourceId=name)]), (moment, moment))
    (delivery,) = found(tmp_path)
    assert delivery.known_at == datetime.fromtimestamp(1_700_000_500, tz=UTC)
    assert delivery.partition == date(2025, 1, 1)


def test_an_old_bill_copied_today_was_known_when_its_days_ended(
    tmp_path, write_csv, charge
) -> None:
    """Harm: last year's bill cannot be looked at as it was then, for it was copied here today."""
    days = ("2025-01-30T00:00:00Z", "2025-01-31T00:00:00Z")
    later = {
        "BillingPeriodStart": "2025-02-01T00:00:00Z",
        "BillingPeriodEnd": "2025-03-01T00:00:00Z",
    }
    rows = [charge(ChargePeriodStart=day, ChargePeriodEnd="2025-02-01T00:00:00Z") for day in days]
    rows.append(charge(ChargePeriodStart="2025-02-03T07:00:00Z",
                       ChargePeriodEnd="2025-02-03T08:00:00Z", **later))  # fmt: skip
    write_csv(tmp_path / "a.csv", rows)
    assert [d.known_at for d in found(tmp_path)] == [
        datetime(2025, 2, 1, tzinfo=UTC),
        datetime(2025, 2, 4, tzinfo=UTC),
    ]


def test_deliveries_of_a_period_come_oldest_first(tmp_path, write_csv, charge, note) -> None:
    """The last one known is in force: order decides which bill that is."""
    for day in (9, 7, 8):
        folder = tmp_path / "billing_period=2025-01-01" / f"d{day}"
        write_csv(folder / "a.csv", [charge(BilledCost=str(day))])
        note(folder, known_at=f"2025-01-{day:02}T03:00:00Z")
    assert [d.known_at.day for d in found(tmp_path)] == [7, 8, 9]


def test_same_bytes_are_the_same_delivery_and_others_are_not(tmp_path, write_csv, charge) -> None:
    """An id that moves lands the same bill twice; one that stays hides a restated bill."""
    path = write_csv(tmp_path / "a.csv", [charge()])
    first = found(tmp_path)[0].delivery_id
    os.utime(path, (1, 1))
    assert found(tmp_path)[0].delivery_id == first
    write_csv(path, [charge(BilledCost="2")])
    assert found(tmp_path)[0].delivery_id != first


def test_a_repeated_delivery_is_left_out_and_a_reverted_one_is_not(
    tmp_path, write_csv, charge, note
) -> None:
    """The same bill again is no news; a bill restated and put back is."""
    for day, cost in ((1, "1"), (2, "1"), (3, "5"), (4, "1")):
        folder = tmp_path / "billing_period=2025-01-01" / f"d{day}"
        write_csv(folder / "a.csv", [charge(BilledCost=cost)])
        note(folder, known_at=f"2025-01-{day:02}T03:00:00Z")
    deliveries = found(tmp_path)
    assert [d.known_at.day for d in deliveries] == [1, 3, 4]
    assert len({d.delivery_id for d in deliveries}) == 3


def test_bare_file_with_several_periods_is_one_delivery_each(
    tmp_path, write_csv, charge, read_each
) -> None:
    """A period is replaced as a whole: rows of two in one delivery would replace both."""
    february = {
        "BillingPeriodStart": "2025-02-01T00:00:00Z",
        "BillingPeriodEnd": "2025-03-01T00:00:00Z",
    }
    rows = [charge(), charge(**february), charge(BillingPeriodStart="?", BilledCost="0",
                                                 EffectiveCost="0")]  # fmt: skip
    read = read_each("focus", write_csv(tmp_path / "b.csv", rows))
    assert [r.landed.delivery.partition for r in read] == [date(2025, 1, 1), date(2025, 2, 1)]
    assert [r.rows["row_number"].to_pylist() for r in read] == [[1], [2]]
    assert [r.quarantine["row_number"].to_pylist() for r in read] == [[3], []]
    assert sum(r.landed.rows_in for r in read) == 3


def test_row_of_another_period_than_its_folder_is_set_aside(
    tmp_path, write_csv, charge, read_one
) -> None:
    """It would be counted again in its own period's delivery."""
    other = charge(BillingPeriodStart="2024-12-01", BilledCost="0", EffectiveCost="0")
    write_csv(tmp_path / "BILLING_PERIOD=2025-01" / "a.csv", [charge(), other])
    read = read_one("focus", tmp_path)
    assert read.row_codes == [("other_partition", "billing_period_start")]
    assert read.rows.num_rows == 1


def test_hidden_and_half_written_files_are_no_deliveries(tmp_path, write_csv, charge) -> None:
    """Spark's _temporary and editors' .swp files are not bills."""
    for name in ("a.csv", ".b.csv", "_c.csv", "_temporary/d.csv", "notes.txt"):
        write_csv(tmp_path / name, [charge()])
    (delivery,) = found(tmp_path)
    assert [str(f.path) for f in delivery.files] == ["a.csv"]


def test_configured_link_may_lead_anywhere(tmp_path, write_csv, charge, read_one) -> None:
    """The path in the settings is the user's own word; only what senders write is confined."""
    write_csv(tmp_path / "real" / "a.csv", [charge()])
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "file.csv").symlink_to(tmp_path / "real" / "a.csv")
    assert read_one("focus", tmp_path / "link").rows.num_rows == 1
    assert read_one("focus", tmp_path / "file.csv").rows.num_rows == 1


def test_a_place_that_is_not_there_is_unavailable(tmp_path) -> None:
    """No delivery yet and no such place need different help."""
    with pytest.raises(Unavailable):
        found(tmp_path / "nowhere")
    assert found(tmp_path) == []


def test_unknown_format_is_an_error_of_the_settings(tmp_path) -> None:
    """A misspelt format must be told at once, with the ones there are."""
    with pytest.raises(SettingsError) as caught:
        open_source("fokus", "src", tmp_path)
    assert "focus" in caught.value.faults[0].expected


def test_files_changed_while_read_are_not_landed(tmp_path, write_csv, charge) -> None:
    """Half an old file and half a new one is a bill that never was."""
    path = write_csv(tmp_path / "a.csv", [charge()])
    source = open_source("focus", "src", path)
    (delivery,) = source.deliveries()
    with source.read(delivery) as result:
        result.rows.read_all()
        result.quarantine.read_all()
        write_csv(path, [charge(BilledCost="999")])
        with pytest.raises(Unavailable):
            _ = result.landed


def test_files_changed_since_found_are_not_read(tmp_path, write_csv, charge) -> None:
    """Rows of new bytes under the id of old ones would never be corrected."""
    path = write_csv(tmp_path / "a.csv", [charge()])
    source = open_source("focus", "src", path)
    (delivery,) = source.deliveries()
    write_csv(path, [charge(BilledCost="999")])
    with pytest.raises(Unavailable):
        source.read(delivery)


def test_a_text_file_of_many_periods_is_parsed_once(
    tmp_path, write_csv, charge, monkeypatch
) -> None:
    """Thirteen months in one file must not take thirteen times as long."""
    parsed: list[str] = []

    def counted(name: str, source: Path, target: Path):
        parsed.append(name)
        return spool_csv(name, source, target)

    spool_csv = spools.spool_csv
    monkeypatch.setattr(spools, "spool_csv", counted)
    rows = [charge(BillingPeriodStart=f"2025-{m:02}-01T00:00:00Z",
                   BillingPeriodEnd=f"2025-{m:02}-28T00:00:00Z") for m in range(1, 7)]  # fmt: skip
    source = open_source("focus", "src", write_csv(tmp_path / "b.csv", rows))
    results = [source.read(delivery) for delivery in source.deliveries()]
    assert [result.rows.read_all().num_rows for result in results] == [1] * 6
    for result in results:
        result.close()
    assert parsed == ["b.csv"]


def test_scratch_space_is_given_back(tmp_path, write_csv, charge) -> None:
    """A daily run that leaves its copies behind fills the disk in a month."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    path = write_csv(tmp_path / "in" / "b.csv", [charge(), charge(BilledCost="x")])
    source = open_source("focus", "src", path, options=ReadOptions(scratch=scratch))
    for delivery in source.deliveries():
        with source.read(delivery) as result:
            result.rows.read_all()
    del source
    gc.collect()
    assert list(scratch.iterdir()) == []
