"""Pruning in the line: what publications and rules name stays, what a replay misses stops it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from finops_dagster.defs import keeping, line
from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import Stopped
from finops_dagster.storage.publication import Version
from tests.e2e.bills import Company, row

JANUARY = "2026-01-01"


@pytest.fixture
def company(tmp_path: Path) -> Company:
    """January, delivered six times, all of them landed."""
    company = Company(tmp_path, "2026-08-01")
    known = ("02-01T03", "02-05T03", "02-05T04", "02-20T03", "03-02T03", "07-31T03")
    for number, time in enumerate(known):
        company.deliver(
            JANUARY, f"d{number}", f"2026-{time}:00:00Z", [row(JANUARY, "2026-01-05", f"{number}")]
        )
    for one in deliveries(company):
        line.land(company.estate, one)
    return company


def deliveries(company: Company) -> list[Delivery]:
    (source,) = company.estate.sources("charges")
    return list(source.deliveries())


def kept(company: Company) -> list[int]:
    return [
        n for n, one in enumerate(deliveries(company))
        if company.estate.lake.rows_file(one).exists()
    ]  # fmt: skip


def test_rows_go_records_stay_and_twice_is_once(company: Company) -> None:
    """Harm: a bill grows by every state it ever had, or loses the one a publication names."""
    estate = company.estate
    named = deliveries(company)[2]
    version = Version(
        mart="fct_costs_daily", partition=named.partition, sha256="0" * 64, rows=1,
        known_at=named.known_at, inputs=(named.delivery_id,),
    )  # fmt: skip
    estate.publications.publish([version], named.known_at)
    now = estate.cutoff(date(2026, 8, 1))
    pruned = keeping.prune(estate, line.BILLING, now)
    # by now: d5; each month's last: d3, d4; d0 for January 31, whose decision it was known to
    assert kept(company) == [0, 2, 3, 4, 5]
    assert [one.delivery_id for one in pruned.deliveries] == [deliveries(company)[1].delivery_id]
    assert pruned.freed_bytes > 0
    assert keeping.prune(estate, line.BILLING, now) == keeping.Pruned((), 0)
    assert len(estate.lake.records("charges")) == 6


def test_a_day_whose_rows_are_gone_is_not_decided_on_others(company: Company) -> None:
    """Harm: a replay shows a figure that nobody could have known, and says it was so."""
    estate = company.estate
    gone = deliveries(company)[2]
    keeping.prune(estate, line.BILLING, estate.cutoff(date(2026, 8, 1)))
    window = (date(2026, 1, 1), date(2026, 8, 1))
    keeping.need_held(estate, line.BILLING, window, date(2026, 2, 19))
    with pytest.raises(Stopped) as caught:
        keeping.need_held(estate, line.BILLING, window, date(2026, 2, 10))
    (fault,) = caught.value.faults
    assert fault.code == "delivery_pruned"
    assert gone.delivery_id in fault.expected
    # its source has it still, so it is read again
    line.land(estate, gone)
    keeping.need_held(estate, line.BILLING, window, date(2026, 2, 10))


def test_states_that_were_replaced_before_anybody_looked_are_taken_in(tmp_path: Path) -> None:
    """Harm: of two restatements in a day only the sum is known."""
    company = Company(tmp_path, "2026-02-10")
    known = ("01-20T03", "02-05T03", "02-09T03", "02-10T03")
    for number, time in enumerate(known):
        company.deliver(
            JANUARY, f"d{number}", f"2026-{time}:00:00Z", [row(JANUARY, "2026-01-05", f"{number}")]
        )
    estate = company.estate
    window = (date(2026, 1, 1), date(2026, 1, 1))
    landed = keeping.land_superseded(estate, "charges", *window, estate.cutoff(date(2026, 2, 10)))
    # what came while January ran is no restatement, and what is in force lands by itself
    assert [one.delivery.known_at.day for one in landed] == [5, 9]
