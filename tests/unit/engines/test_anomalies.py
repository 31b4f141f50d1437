"""Anomalies and incidents in daily cost on small accounts whose truth is known."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.incidents import Channel
from finops_dagster.engines.anomalies import DetectionConfig, DetectionResult, detect

DAYS = pd.date_range("2025-01-01", periods=300)
AS_OF: date = DAYS[-1].date()
FULL = DetectionConfig(lookback_days=200, report_days=200)


def account(
    seed: int = 0, leaves: int = 6, currency: str = "USD", name: str = "acc"
) -> pd.DataFrame:
    """Leaves with weekday patterns and noise, one of them with a month-start fee."""
    rng = np.random.default_rng(seed)
    parts = []
    for i in range(leaves):
        weekend = np.where(DAYS.dayofweek >= 5, 0.6, 1.0)
        y = 100 * (i + 1) * weekend * np.exp(rng.normal(0, 0.03, len(DAYS)))
        if i == 0:
            y = y + 300 * (DAYS.day == 1)
        parts.append(
            pd.DataFrame(
                {
                    "account": name, "service": f"svc{i}", "team": f"team{i % 2}",
                    "currency": currency, "ds": DAYS, "cost": y,
                }
            )
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


def changed(history: pd.DataFrame, service: str, since: int, until: int, add: float):
    """Add `add` a day to a service on days [since, until) counted from the end."""
    rows = (history["service"] == service) & history["ds"].isin(DAYS[since:until])
    return history.assign(cost=history["cost"] + np.where(rows, add, 0.0))


def incidents(history: pd.DataFrame, config: DetectionConfig = FULL) -> DetectionResult:
    return detect(history, AS_OF, config)


@pytest.mark.parametrize("seed", range(4))
def test_a_clean_account_is_silent(seed: int) -> None:
    """Alarms on ordinary days teach people to ignore them; fees on the 1st are ordinary."""
    result = incidents(account(seed))
    assert [i.cause for i in result.incidents] == []


def test_a_spike_is_found_on_its_day_with_its_money() -> None:
    """A spike not found, or with the wrong sum, is a bill nobody can explain."""
    result = incidents(changed(account(), "svc2", 250, 252, 700.0))
    (incident,) = result.incidents
    assert incident.kind is Channel.POINT
    assert incident.since == DAYS[250].date()
    assert incident.resource == "acc/svc2/team0"
    assert incident.owner == "team0"
    assert float(incident.money.amount) == pytest.approx(1400, rel=0.1)
    assert not incident.ongoing
    assert incident.saving_per_month.mid == 0


def test_a_level_shift_is_one_incident_that_goes_on() -> None:
    """A lasting rise told every day is noise; one that stops counting hides its cost."""
    result = incidents(changed(account(), "svc3", 280, 300, 200.0))
    (incident,) = result.incidents
    assert incident.since == DAYS[280].date()
    assert incident.ongoing
    assert float(incident.money.amount) == pytest.approx(200 * 20, rel=0.1)
    assert float(incident.saving_per_month.mid) == pytest.approx(200 * 365 / 12, rel=0.15)
    assert incident.saving_per_month.low < incident.saving_per_month.mid


def test_a_leak_that_no_single_day_shows_is_found() -> None:
    """A leak of two percent a day doubles a bill in a month without one unusual day."""
    history = account()
    rows = history["service"] == "svc4"
    growth = np.maximum(0, np.arange(len(DAYS)) - 240) * 0.02
    history.loc[rows, "cost"] *= 1 + growth
    result = incidents(history)
    assert Channel.SLOW in {i.kind for i in result.incidents}
    first = min(i.since for i in result.incidents)
    assert DAYS[240].date() < first <= DAYS[280].date()


def test_a_new_service_is_told_once() -> None:
    """A service nobody ordered starts at any size; only its first day is news."""
    history = account()
    new = history.loc[(history["service"] == "svc1") & (history["ds"] >= DAYS[270])]
    result = incidents(pd.concat([history, new.assign(service="bedrock")]))
    (incident,) = result.incidents
    assert incident.kind is Channel.NEW
    assert incident.since == DAYS[270].date()
    assert float(incident.money.amount) == pytest.approx(float(new["cost"].sum()), rel=1e-3)
    assert any("30 days of cost" not in a.reason for a in result.abstained)


def test_offsetting_changes_are_seen_by_leaf() -> None:
    """A total that stands still can hide one service doubling as another stops."""
    history = changed(account(), "svc3", 285, 300, 220.0)
    history = changed(history, "svc4", 285, 300, -220.0)
    (incident,) = incidents(history).incidents
    assert {p.service for p in incident.dimensions} == {"svc3", "svc4"}
    assert abs(float(incident.money.amount)) < 500


def test_a_missing_delivery_is_one_incident_of_its_own_kind() -> None:
    """A bill that has not arrived is not a saving, nor six anomalies."""
    history = account()
    kept = history.loc[~(history["ds"] == DAYS[290]) | (history["service"] == "svc0")]
    (incident,) = incidents(kept).incidents
    assert incident.kind is Channel.MISSING
    assert "probably not delivered" in incident.cause


def test_a_newest_day_that_is_not_billed_in_full_waits_a_day() -> None:
    """Bills come in during the day: an alarm every morning that all is missing is turned off."""
    history = account()
    last, before = DAYS[-1], DAYS[-2]

    def without(*days: pd.Timestamp) -> DetectionResult:
        return incidents(history.loc[~history["ds"].isin(days) | (history["service"] == "svc0")])

    waits = without(last)
    assert waits.incidents == []
    assert [one.subject for one in waits.abstained if "not billed in full" in one.reason] == [
        "acc (USD)"
    ]
    (told,) = without(before, last).incidents
    assert told.kind is Channel.MISSING
    assert told.since == before.date()
    # two days later it is known of the one day
    (gone,) = without(DAYS[-3]).incidents
    assert (gone.kind, gone.since) == (Channel.MISSING, DAYS[-3].date())


def test_a_public_holiday_is_no_anomaly() -> None:
    """Every office closes on some Thursday: no service of it has a fault."""
    history = account(leaves=8)
    holiday = history["ds"] == next(d for d in DAYS[250:] if d.dayofweek == 3)
    result = incidents(history.assign(cost=history["cost"] * np.where(holiday, 0.6, 1.0)))
    assert result.incidents == []


def test_a_price_change_is_told_from_a_quantity_change() -> None:
    """A dearer price is for the vendor manager, a larger quantity for the engineer."""
    history = account()
    history["quantity"] = history["cost"] / 2
    rows = (history["service"] == "svc5") & (history["ds"] >= DAYS[285])
    dearer = history.assign(cost=history["cost"] * np.where(rows, 1.03, 1.0))
    (incident,) = incidents(dearer).incidents
    assert incident.kind is Channel.PRICE
    assert incident.since == DAYS[285].date()
    assert incidents(history).incidents == []
    assert not any(a.subject == "unit prices" for a in incidents(history).abstained)


def test_currencies_are_never_added() -> None:
    """One account billed in two currencies has two spends, not one."""
    history = pd.concat([account(), account(1, currency="EUR")])
    spiked = history.assign(
        cost=history["cost"]
        + np.where((history["service"] == "svc2") & (history["ds"] == DAYS[290]), 900.0, 0.0)
    )
    result = incidents(spiked)
    assert sorted(i.currency for i in result.incidents) == ["EUR", "USD"]
    assert all(p.money.currency == i.currency for i in result.incidents for p in i.dimensions)


def test_what_comes_after_as_of_changes_nothing() -> None:
    """A past day decided again must not know what followed."""
    history = changed(account(), "svc2", 250, 252, 700.0)
    wild = changed(history, "svc1", 260, 300, 5000.0)
    as_of = DAYS[255].date()
    first, second = detect(history, as_of), detect(wild, as_of)
    assert first.incidents == second.incidents
    assert first.incidents
    pd.testing.assert_frame_equal(first.anomalies, second.anomalies)


def test_each_day_is_judged_the_same_however_much_follows() -> None:
    """A verdict that changes when more data come in cannot be audited."""
    history = changed(account(3), "svc2", 250, 253, 700.0)
    whole = detect(history, AS_OF, FULL).anomalies
    for day in (252, 260):
        config = DetectionConfig(lookback_days=200 - (299 - day), report_days=200)
        part = detect(history, DAYS[day].date(), config).anomalies
        expected = whole.loc[whole["ds"] <= DAYS[day]].reset_index(drop=True)
        pd.testing.assert_frame_equal(part, expected)


def test_an_incident_keeps_its_id_from_day_to_day() -> None:
    """An incident with a new id every morning is reported every morning."""
    history = changed(account(), "svc3", 280, 300, 200.0)
    ids = {detect(history, DAYS[d].date()).incidents[0].id for d in (283, 290, 299)}
    assert len(ids) == 1


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [("a", "s", "t", "USD", "2025-10-27", 5.0)],
        [("a", "s", None, "USD", "2025-10-27", Decimal("-5")), ("a", "s", "t", "USD",
                                                              "2025-10-01", Decimal(0))],
        [("a", "s", "t", "USD", "2025-10-27", float("nan"))],
    ],
)  # fmt: skip
def test_next_to_nothing_is_no_fault(rows: list[tuple[object, ...]]) -> None:
    """A first bill of one day must give reasons, not a stack trace."""
    columns = ["account", "service", "team", "currency", "ds", "cost"]
    result = detect(pd.DataFrame(rows, columns=columns), AS_OF)
    assert result.incidents == []
    assert len(result.anomalies) == 0
    assert result.abstained


def test_incidents_serialise_with_money_as_text() -> None:
    """Money read back as a float is no longer the money that was judged."""
    (incident,) = incidents(changed(account(), "svc2", 250, 252, 700.0)).incidents
    out = incident.model_dump(mode="json")
    promised = {
        "kind", "resource", "field", "current", "proposed", "owner", "saving_per_month",
        "carbon_kg_per_month", "risk", "confidence", "evidence", "since", "money", "cause",
        "dimensions",
    }  # fmt: skip
    assert promised <= set(out)
    assert isinstance(out["money"]["amount"], str)
    assert out["dimensions"][0]["money"]["currency"] == "USD"
