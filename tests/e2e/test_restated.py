"""Bills that come again: what changed is told with its money, and nothing else is touched.

The bills are a few rows each, so that every figure can be added up in the head.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import dagster as dg
import pytest

from finops_dagster.defs import line
from finops_dagster.defs.conservation import conserved
from finops_dagster.defs.insight import facts
from finops_dagster.storage.publication import Manifest
from tests.e2e.bills import Company, row

pytestmark = pytest.mark.conformance

NOVEMBER, DECEMBER, JANUARY = "2025-11-01", "2025-12-01", "2026-01-01"
FEBRUARY, MARCH, APRIL = "2026-02-01", "2026-03-01", "2026-04-01"
OPEN = [
    row(APRIL, "2026-04-05", "2"),
    row(APRIL, "2026-03-30", "-1.5", charge_class="Correction"),
]
"""What April comes to so far: it bills a correction of March."""


def closed(folder: Path) -> Company:
    """Five months and the one that runs, each delivered once."""
    company = Company(folder, "2026-04-10")
    company.deliver(NOVEMBER, "final", "2025-12-04T03:00:00Z", [row(NOVEMBER, "2025-11-05", "4")])
    company.deliver(DECEMBER, "final", "2026-01-04T03:00:00Z", [row(DECEMBER, "2025-12-05", "6")])
    company.deliver(
        JANUARY, "final", "2026-02-04T03:00:00Z",
        [row(JANUARY, "2026-01-05", "10.10"), row(JANUARY, "2026-01-06", "5", account="sub-2")],
    )  # fmt: skip
    company.deliver(FEBRUARY, "final", "2026-03-04T03:00:00Z", [row(FEBRUARY, "2026-02-05", "7")])
    company.deliver(MARCH, "final", "2026-04-04T03:00:00Z", [row(MARCH, "2026-03-05", "3")])
    company.deliver(APRIL, "known", "2026-04-11T03:00:00Z", OPEN)
    return company


def restate(company: Company) -> None:
    company.deliver(
        JANUARY, "restated", "2026-04-11T03:00:00Z",
        [
            row(JANUARY, "2026-01-05", "9.08"),
            row(JANUARY, "2026-01-06", "5", account="sub-2"),
            row(JANUARY, "2026-01-06", "1.5", service="Support"),
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Company:
    """What `closed` delivers, taken in; no test changes it."""
    company = closed(tmp_path_factory.mktemp("before"))
    company.run()
    return company


@dataclass(frozen=True)
class Restated:
    """A company whose January was restated and taken in again, and what was there before."""

    company: Company
    run_id: str
    files: dict[str, tuple[int, int]]
    versions: dict[tuple[str, str | None], str | None]


@pytest.fixture(scope="module")
def restated(before: Company, tmp_path_factory: pytest.TempPathFactory) -> Restated:
    """January comes again the day after; no test changes it."""
    folder = tmp_path_factory.mktemp("restated") / "company"
    shutil.copytree(before.folder, folder)
    company = Company(folder, "2026-04-11")
    files, versions = states(folder / ".finops"), data_versions(company)
    restate(company)
    return Restated(company, company.run().run_id, files, versions)


@pytest.fixture
def company(before: Company, tmp_path: Path) -> Company:
    """A copy of it, to go on with."""
    folder = tmp_path / "company"
    shutil.copytree(before.folder, folder)
    return Company(folder, before.as_of)


def current(company: Company) -> Manifest:
    manifest = company.estate.publications.current()
    assert manifest is not None
    return manifest


def states(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file of marts and landing, by inode and time of writing."""
    return {
        str(path.relative_to(folder)): (path.stat().st_ino, path.stat().st_mtime_ns)
        for part in ("published/marts", "landing/charges")
        for path in sorted((folder / part).rglob("*.parquet"))
    }


def contents(company: Company) -> dict[tuple[str, str], str]:
    """A hash of the rows of every published partition that their order does not change."""
    found = {}
    publications = company.estate.publications
    for version in current(company).versions:
        path = str(publications.path(version))
        rows = company.read([path], "select cast(t as varchar) from mart as t")
        text = "\n".join(sorted(str(row[0]) for row in rows))
        place = (version.mart, version.partition.isoformat())
        found[place] = hashlib.sha256(text.encode()).hexdigest()
    return found


def data_versions(company: Company) -> dict[tuple[str, str | None], str | None]:
    """Data version of the newest materialisation of every asset and partition."""
    found: dict[tuple[str, str | None], str | None] = {}
    with company.instance() as instance:
        for key in instance.all_asset_keys():
            records = instance.fetch_materializations(key, limit=100).records
            for record in reversed(records):
                made = record.asset_materialization
                assert made is not None
                place = (key.to_user_string(), made.partition)
                found[place] = (made.tags or {}).get("dagster/data_version")
    return found


def materialised(company: Company, run_id: str) -> set[str]:
    """Assets that a run made something of."""
    with company.instance() as instance:
        events = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        return {
            entry.dagster_event.asset_key.to_user_string()
            for entry in events
            if entry.dagster_event is not None and entry.dagster_event.asset_key is not None
        }


def ranges(company: Company) -> list[tuple[str, str]]:
    """First and last month of every run so far, oldest first."""
    name = "dagster/asset_partition_range_"
    with company.instance() as instance:
        return [
            (run.tags[f"{name}start"], run.tags[f"{name}end"])
            for run in reversed(instance.get_runs())
        ]


def test_a_restatement_is_told_to_the_cent(before: Company, restated: Restated) -> None:
    """A closed month that changes without a word is a bill nobody can agree to."""
    company = restated.company
    assert before.rows("fct_restatements") == []
    told = company.rows(
        "fct_restatements",
        "select service_name, sub_account_id, billed_before, billed_after, billed_difference,"
        " after_period_end, known_at::varchar from mart order by 1",
    )
    known = "2026-04-11 03:00:00+00"
    assert told == [
        ("Compute", "sub-1", Decimal("10.10"), Decimal("9.08"), Decimal("-1.02"), True, known),
        ("Support", "sub-1", Decimal(0), Decimal("1.5"), Decimal("1.5"), True, known),
    ]
    january = "select sum(billed_cost) from mart where billing_period = '2026-01-01'"
    ((was,),), ((now,),) = (one.rows("fct_costs_daily", january) for one in (before, company))
    assert (was, now) == (Decimal("15.10"), Decimal("15.58"))
    assert sum(row[4] for row in told) == now - was


def test_only_the_restated_period_is_built_again(restated: Restated) -> None:
    """A day's work that grows with history ends in a night that is too short."""
    company, held = restated.company, restated.files
    assert ranges(company) == [(NOVEMBER, APRIL), (JANUARY, JANUARY)]
    after = states(company.folder / ".finops")
    assert {name: after[name] for name in held} == held
    new = after.keys() - held.keys()
    assert new
    assert not [name for name in new if "2026-01-01" not in name]
    changed = {
        place
        for place, version in data_versions(company).items()
        if restated.versions[place] != version
    }
    assert {partition for _, partition in changed} == {JANUARY}
    assert ("landing/charges", JANUARY) in changed
    assert "publication/billing" in materialised(company, restated.run_id)


def test_the_same_delivery_again_changes_nothing(company: Company) -> None:
    """Work that nothing called for hides the work that something did."""
    held, versions = states(company.folder / ".finops"), data_versions(company)
    published = current(company)
    company.deliver(APRIL, "again", "2026-04-11T05:00:00Z", OPEN)
    estate = company.estate
    assert line.pending(estate, line.BILLING, estate.cutoff(estate.settings.decided_day())) == []
    outcome = company.run()
    assert materialised(company, outcome.run_id) == {"landing/charges"}
    assert data_versions(company) == versions
    assert states(company.folder / ".finops") == held
    assert current(company).id == published.id


@pytest.mark.conformance
def test_a_later_look_keeps_the_same_data_under_the_same_name(company: Company) -> None:
    """A new name for the same rows reads as a new bill."""
    published, versions = current(company), data_versions(company)
    company.decide("2026-04-12")
    company.run()
    after = current(company)
    assert after.id == published.id
    assert after.known_at > published.known_at
    changed = {
        asset for (asset, _), version in data_versions(company).items()
        if versions.get((asset, _), version) != version
    }  # fmt: skip
    assert "landing/charges" not in changed


@pytest.mark.conformance
def test_a_backfill_is_row_for_row_a_fresh_load(restated: Restated, tmp_path: Path) -> None:
    """Two ways to the same months that differ by a row make every figure a matter of history."""
    company = restated.company
    backfilled = Company(tmp_path / "backfilled", "2026-04-11")
    shutil.copytree(company.folder / "exports", backfilled.folder / "exports", dirs_exist_ok=True)
    backfilled.run()
    assert len(ranges(backfilled)) == 1
    assert contents(company) == contents(backfilled)
    assert backfilled.rows("fct_restatements", "select count(*) from mart") == [(2,)]


def test_a_report_follows_either_clock(before: Company) -> None:
    """A correction shown in the month it corrects hides why this month's invoice is smaller."""
    manifest = current(before)
    reader = before.estate.publications.reader(manifest)

    def march_and_april(*, by_billing_period: bool) -> list[Decimal]:
        frame = facts.spend(reader, date(2026, 4, 10), by_billing_period=by_billing_period)
        assert frame is not None
        months = [str(day)[:7] for day in frame["charge_date"]]
        return [
            sum(frame["effective_cost"][[month == wanted for month in months]], Decimal(0))
            for wanted in ("2026-03", "2026-04")
        ]

    assert march_and_april(by_billing_period=False) == [Decimal("1.5"), Decimal(2)]
    assert march_and_april(by_billing_period=True) == [Decimal(3), Decimal("0.5")]
    billed = before.rows(
        "fct_costs_daily",
        "select billing_period::varchar, charge_date::varchar, effective_cost from mart"
        " where charge_class = 'Correction'",
    )
    assert billed == [(APRIL, "2026-03-30", Decimal("-1.5"))]


def test_conservation_says_where_money_was_lost(company: Company) -> None:
    """A difference without a place to look for it is looked for by nobody."""
    rows = conserved(company.estate)
    billed = {row["period"].isoformat(): row for row in rows if row["metric"] == "billed_cost"}
    assert [billed[month]["file"] for month in (JANUARY, FEBRUARY, APRIL)] == [
        Decimal("15.10"), Decimal(7), Decimal("0.5"),
    ]  # fmt: skip
    assert not any(row["difference"] or row["reason"] for row in rows)
    # a file that says more than landed, and a currency of which every row was set aside
    (record,) = (company.folder / ".finops/landing/records/charges/cloud").glob(f"{FEBRUARY}*")
    told = json.loads(record.read_text())
    told["file_billed"] = {"USD": "7.01", "EUR": "5"}
    told["billed_quarantined"] = {"EUR": "5"}
    record.write_text(json.dumps(told))
    changed = {
        row["currency"]: row
        for row in conserved(company.estate)
        if row["period"].isoformat() == FEBRUARY and row["metric"] == "billed_cost"
    }
    assert changed["USD"]["difference"] == Decimal("0.01")
    assert "between file and landing 0.01" in changed["USD"]["reason"]
    assert (changed["EUR"]["file"], changed["EUR"]["quarantined"]) == (Decimal(5), Decimal(5))
    assert (changed["EUR"]["mart"], changed["EUR"]["difference"]) == (0, 0)


def test_other_words_for_tags_build_every_month_again(company: Company) -> None:
    """Months told by other words than the newest cannot be compared with it."""
    company.decide("2026-04-10", tags={"team": ["squad"]})
    estate = company.estate
    cutoff = estate.cutoff(estate.settings.decided_day())
    assert [day.isoformat() for day in line.pending(estate, line.BILLING, cutoff)] == [
        NOVEMBER, DECEMBER, JANUARY, FEBRUARY, MARCH, APRIL,
    ]  # fmt: skip


@pytest.mark.conformance
def test_a_file_put_back_is_a_delivery_of_its_own(company: Company) -> None:
    """An export that overwrites itself and is then put right must not stay wrong."""
    part = company.folder / "exports" / f"billing_period={MARCH}" / "final"
    good = (part / "part-0.csv").read_bytes()
    text = good.decode().replace("3,3,3,3,USD", "4,4,4,4,USD")
    for day, data in (("2026-04-11", text.encode()), ("2026-04-12", good)):
        (part / "part-0.csv").write_bytes(data)
        (part / "_delivery.json").write_text(f'{{"known_at": "{day}T03:00:00Z"}}')
        company.decide(day)
        company.run()
    assert company.rows(
        "fct_costs_daily", "select sum(billed_cost) from mart where billing_period = '2026-03-01'"
    ) == [(Decimal(3),)]
