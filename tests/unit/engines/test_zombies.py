"""What is billed and not used, by hand: what is told, what is not, and what is not known."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.engines.optimisation.bills import gigabyte_months, gigabytes
from finops_dagster.engines.optimisation.zombies import BilledEstate, zombies
from tests.unit.engines.billed import AS_OF, DAYS, HISTORY, charges, dates, days, frame, history

IP, LB, NAT, SNAP = "address/1/ip", "load_balancer/1/lb", "gateway/1/nat", "snapshot/1/snap"
DB, EKS, ML, LOGS, S3 = (
    "database/1/db", "cluster/1/prod", "endpoint/1/ranker", "log_group/1/api", "bucket/1/archive"
)  # fmt: skip
MONTH = Decimal(365) / 12


def judged(
    *parts: list[dict[str, Any]], covered: int = DAYS, as_of: date = AS_OF, **more: Any
) -> FindResult:
    """What is said of charges whose source has billed the last `covered` days."""
    billed = frame(*parts)
    told = history(billed) if len(billed) else pd.DataFrame(columns=HISTORY)
    given = {"billed": billed, "days": days(covered), "history": told} | more
    return zombies(BilledEstate(**given), as_of)


def only(result: FindResult, kind: FindingKind) -> Finding:
    """The one finding, and nothing that was not judged."""
    (found,) = result.findings
    assert found.kind is kind
    assert result.abstained == []
    return found


def why(result: FindResult) -> str:
    """The reason of the one that was not judged, and no finding."""
    assert result.findings == []
    (one,) = result.abstained
    return one.reason


def nothing(result: FindResult) -> bool:
    return result == FindResult(findings=[], abstained=[])


# --- addresses ----------------------------------------------------------------------------------


def idle_ip(count: int = DAYS, **more: Any) -> list[dict[str, Any]]:
    """24 hours at 0.005 a day."""
    return charges(IP, "idle_address", 24, "0.12", count, **more)


def test_an_idle_address_is_told_at_what_it_costs() -> None:
    """0.12 a day are 3.65 a month: an address that nothing uses, unnoticed for years."""
    found = only(judged(idle_ip()), FindingKind.IDLE_ADDRESS)
    assert found.saving_per_month.mid == Decimal("3.65")
    assert found.resource == IP
    assert (found.owner, found.environment) == ("shop", "prod")
    assert found.evidence.figures["days_idle"] == 7
    assert (found.field, found.proposed) == ("", "")
    assert found.wrong_if


@pytest.mark.parametrize(
    "parts",
    [
        # in use
        [charges(IP, "used_address", 24, "0.12")],
        # idle for three of seven days, as a machine that is stopped at weekends
        [charges(IP, "used_address", 24, "0.12", 4, AS_OF - timedelta(days=3)), idle_ip(3)],
        # released four days ago
        [idle_ip(20, until=AS_OF - timedelta(days=4))],
        # free
        [charges(IP, "idle_address", 24, "0")],
    ],
)
def test_an_address_that_is_used_or_gone_or_free_is_no_waste(parts: list[Any]) -> None:
    """One wrong release takes a service off the network."""
    assert nothing(judged(*parts))


def test_an_address_that_was_used_for_a_day_is_not_judged() -> None:
    """It is kept for what comes back."""
    reason = why(
        judged(idle_ip(6), charges(IP, "used_address", 24, "0.12", 1, AS_OF - timedelta(6)))
    )
    assert reason == "billed as idle on 6 of 7 days, and used on 1 of them"


def test_a_young_bill_tells_of_no_address() -> None:
    """Some days idle are a deployment."""
    reason = "billed as idle on 5 of 5 days, and known for less than 7"
    assert why(judged(idle_ip(5), covered=5)) == reason
    assert "known for less than 7" in why(judged(idle_ip(6)))


# --- what is billed by the hour -----------------------------------------------------------------


def lb(name: str = LB, use: float | None = 0, count: int = DAYS, **more: Any) -> list[Any]:
    """24 hours at 0.0225 a day, and its capacity units."""
    return [
        *charges(name, "load_balancer_hours", 24, "0.54", count, **more),
        *charges(name, "load_balancer_use", use, "0.1", count, consumed_unit="LCU-Hours", **more),
    ]


OTHER_LB = "load_balancer/1/busy"


def test_a_balancer_without_use_beside_one_with_use_is_idle() -> None:
    """0.54 a day are 16.425 a month."""
    found = only(judged(lb(), lb(OTHER_LB, 3.0)), FindingKind.IDLE_LOAD_BALANCER)
    assert (found.resource, found.saving_per_month.mid) == (LB, Decimal("16.425"))
    # less than .001 of a unit a day is next to nothing: 100 requests
    assert judged(lb(use=0.0009), lb(OTHER_LB, 3.0)).findings[0].resource == LB
    assert nothing(judged(lb(use=0.0011), lb(OTHER_LB, 3.0)))


def test_a_balancer_with_hours_alone_is_idle_where_others_bill_use() -> None:
    """A provider that bills no row for no use must not hide it."""
    hours = charges(LB, "load_balancer_hours", 24, "0.54")
    assert judged(hours, lb(OTHER_LB, 3.0)).findings[0].resource == LB


def test_without_use_on_any_balancer_nothing_is_known() -> None:
    """A bill that has no use at all would make every balancer idle."""
    result = judged(charges(LB, "load_balancer_hours", 24, "0.54"),
                    charges(OTHER_LB, "load_balancer_hours", 24, "0.54"))  # fmt: skip
    assert why(result).startswith("2 billed by the hour, and use is billed of none in the account")
    # use in another account says nothing of this one
    elsewhere = lb("load_balancer/2/busy", 3.0, account="2")
    assert judged(charges(LB, "load_balancer_hours", 24, "0.54"), elsewhere).findings == []


def test_other_usage_of_a_balancer_is_not_passed_over() -> None:
    """Traffic that is billed under another name is traffic."""
    sent = charges(LB, "data_transfer", 5, "0.4", consumed_unit="GB")
    assert why(judged(lb(), lb(OTHER_LB, 3.0), sent)) == (
        "no use is billed of it, but data transfer is"
    )
    unknown = charges(LB, None, 5, "0.4", consumed_unit="GB")
    assert "usage of another kind" in why(judged(lb(), lb(OTHER_LB, 3.0), unknown))
    assert "quantity of its use is not told" in why(judged(lb(use=None), lb(OTHER_LB, 3.0)))


def test_a_new_or_deleted_balancer_is_not_idle() -> None:
    """A launch that is being prepared looks as idle as what is left over."""
    busy = lb(OTHER_LB, 3.0)
    assert why(judged(lb(count=13), busy)) == (
        "looks idle, but billed on 13 days only, 14 are needed"
    )
    assert nothing(judged(lb(until=AS_OF - timedelta(days=2)), busy))


def test_a_late_bill_is_judged_by_its_own_days() -> None:
    """Two days that no bill has come for are no days without use."""
    until = AS_OF - timedelta(days=3)
    result = judged(lb(until=until), lb(OTHER_LB, 3.0, until=until), days=days(DAYS - 3, until))
    assert only(result, FindingKind.IDLE_LOAD_BALANCER).evidence.window_end.date() == date(
        2026, 3, 29
    )


def test_a_gateway_without_bytes_is_idle_after_thirty_days() -> None:
    """1.08 a day are 32.85 a month."""
    busy = charges("gateway/1/busy", "gateway_use", 40, "1.8", consumed_unit="GB")
    found = only(judged(charges(NAT, "gateway_hours", 24, "1.08"), busy), FindingKind.IDLE_GATEWAY)
    assert found.saving_per_month.mid == Decimal("32.85")
    young = judged(charges(NAT, "gateway_hours", 24, "1.08", 20), busy)
    assert why(young) == "looks idle, but billed on 20 days only, 30 are needed"
    used = charges(NAT, "gateway_use", 0.5, "0.02", 1, consumed_unit="GB")
    assert nothing(judged(charges(NAT, "gateway_hours", 24, "1.08"), busy, used))


def endpoint(**more: Any) -> list[dict[str, Any]]:
    return charges(ML, "endpoint_hours", 24, "24", **more)


def answers(model: str, predictions: float, count: int = DAYS) -> pd.DataFrame:
    return pd.DataFrame({"day": dates(count), "model": model, "predictions": predictions})


def test_an_endpoint_whose_model_never_answers_is_unused() -> None:
    """24 a day are 730 a month for a model that nobody asks."""
    log = pd.concat([answers("churn", 90), answers("ranker", 0)])
    found = only(judged(endpoint(), answers=log), FindingKind.UNUSED_ENDPOINT)
    assert found.saving_per_month.mid == Decimal(730)


@pytest.mark.parametrize(
    "log",
    [
        None,
        # the log knows no model of its name
        answers("churn", 90),
        # and one with gaps may have lost its answers
        pd.concat([answers("churn", 90, 5), answers("ranker", 0)]),
    ],
)
def test_an_endpoint_of_the_bill_alone_is_not_judged(log: pd.DataFrame | None) -> None:
    """What no log tells of may answer all day."""
    assert "use is billed of none in the account" in why(judged(endpoint(), answers=log))


def test_an_endpoint_that_answers_is_used() -> None:
    """Its calls are not billed, and it is in use all the same."""
    assert nothing(judged(endpoint(), answers=answers("ranker", 12)))


# --- snapshots ----------------------------------------------------------------------------------


def snapshots(count: int = 120, size: float = 304, **more: Any) -> list[dict[str, Any]]:
    """So many GB at 0.05 a GB-month: what a day of a month of 30.4 days has of it."""
    amount = size / 30.4
    return charges(SNAP, "snapshot", amount, f"{amount * 0.05:.6f}", count,
                   consumed_unit="GB-Months", **more)  # fmt: skip


def test_a_snapshot_older_than_a_quarter_is_told() -> None:
    """10 GB-months a day at 0.05 are 0.5: 15.21 a month."""
    found = only(judged(snapshots(), covered=150), FindingKind.OLD_SNAPSHOT)
    assert found.saving_per_month.mid.quantize(Decimal("0.01")) == Decimal("15.21")
    assert "Billed on each of 120 days (since 2025-12-02)" in found.reason
    assert "a rule that keeps 90 days would have deleted it" in found.reason
    assert "backup rule" in found.wrong_if


def test_gb_months_of_longer_months_are_no_change_of_size() -> None:
    """A GB is 1/31 of a GB-month on a day of March and 1/28 of one in February."""
    parts = snapshots()
    for row in parts:
        length = pd.Timestamp(row["charge_date"]).days_in_month
        row["consumed_quantity"] = Decimal(304) / length
    only(judged(parts, covered=150), FindingKind.OLD_SNAPSHOT)


def test_a_backup_that_grows_is_none() -> None:
    """A vault that goes on being written to is in use."""
    parts = snapshots()
    for number, row in enumerate(parts):
        row["consumed_quantity"] *= 1 + Decimal(number) / 1000
    assert nothing(judged(parts, covered=150))


def test_a_snapshot_that_is_young_or_gone_or_interrupted_is_right() -> None:
    """What a rule deletes by itself needs no one."""
    assert nothing(judged(snapshots(90), covered=150))
    assert nothing(judged(snapshots(until=AS_OF - timedelta(days=5)), covered=150))
    assert nothing(judged([r for n, r in enumerate(snapshots()) if n % 5], covered=150))


def test_a_short_bill_does_not_tell_the_age_of_snapshots() -> None:
    """On the first day of a bill everything is new."""
    reason = why(judged(snapshots(60), covered=60))
    assert reason == "1 as old as the bill that is published, which is under 90 days"


# --- what is stopped ----------------------------------------------------------------------------


def database(ran: int, stopped: int) -> list[dict[str, Any]]:
    """Storage all the time, hours until so many days ago."""
    return [
        *charges(DB, "database_storage", 100, "0.4", ran + stopped, consumed_unit="GB-Months"),
        *charges(DB, "database_hours", 24, "4", ran, AS_OF - timedelta(days=stopped)),
    ]


def test_a_stopped_database_is_told_at_what_it_keeps() -> None:
    """0.4 a day of storage are 12.1667 a month, and its hours save nothing any more."""
    found = only(judged(database(60, 30), covered=90), FindingKind.STOPPED_MACHINE)
    assert found.saving_per_month.mid.quantize(Decimal("0.0001")) == Decimal("12.1667")
    assert found.evidence.figures["days_stopped"] == 30
    assert "2026-03-01" in found.reason


def test_a_machine_whose_disk_and_address_are_billed_by_its_id_is_told() -> None:
    """0.3 and 0.12 a day are 12.775 a month for a machine that nobody starts."""
    vm = "machine/1/vm"
    found = only(
        judged(
            charges(vm, "volume", 1, "0.3", 90, consumed_unit="GB-Months"),
            charges(vm, "address", 24, "0.12", 90),
            charges(vm, "instance_hours", 24, "2", 40, AS_OF - timedelta(days=50)),
            covered=90,
        ),
        FindingKind.STOPPED_MACHINE,
    )
    assert found.saving_per_month.mid == Decimal("12.775")
    assert found.resource == vm


def test_a_database_that_ran_this_month_or_never_is_not_stopped() -> None:
    """A test database runs once a month; a cluster's storage has never had hours of its own."""
    assert nothing(judged(database(60, 29), covered=90))
    storage = charges(DB, "database_storage", 100, "0.4", 90, consumed_unit="GB-Months")
    assert nothing(judged(storage, covered=90))


def test_a_stopped_machine_with_unknown_usage_is_not_judged() -> None:
    """It may run under a name that nobody knows."""
    unknown = charges(DB, None, 3, "0.1", 20)
    assert "kind that is not known" in why(judged(database(60, 30), unknown, covered=90))


# --- clusters -----------------------------------------------------------------------------------


def cluster(**more: Any) -> list[dict[str, Any]]:
    return charges(EKS, "cluster_hours", 24, "2.4", **more)


def namespaces(*names: str, name: str = "prod", count: int = 14) -> pd.DataFrame:
    rows = [(day, name, namespace) for day in dates(count) for namespace in names]
    return pd.DataFrame(rows, columns=["day", "cluster", "namespace"])


def test_a_cluster_with_nothing_but_its_system_is_empty() -> None:
    """2.4 a day are 73 a month for a control plane that controls nothing."""
    seen = namespaces("kube-system", "gke-managed-cim")
    found = only(judged(cluster(), workloads=seen), FindingKind.EMPTY_CLUSTER)
    assert found.saving_per_month.mid == Decimal(73)


def test_a_cluster_in_which_something_ran_is_not_empty() -> None:
    """Even for a day."""
    one = pd.concat([namespaces("kube-system"), namespaces("shop", count=1)])
    assert nothing(judged(cluster(), workloads=one))


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        (None, "whether anything runs in it is not known: not measured"),
        (namespaces("kube-system", name="other"),
         "whether anything runs in it is not known: not measured"),
        (namespaces("kube-system", count=12),
         "looks empty, but measured on 12 and billed on 14 days of 14"),
    ],
)  # fmt: skip
def test_a_cluster_that_nobody_measures_is_not_judged(
    seen: pd.DataFrame | None, reason: str
) -> None:
    """What is not looked at looks empty."""
    assert why(judged(cluster(), workloads=seen)) == reason


def test_two_clusters_of_one_name_are_not_judged() -> None:
    """Which of them is measured is not known."""
    other = charges("cluster/2/prod", "cluster_hours", 24, "2.4", account="2")
    result = judged(cluster(), other, workloads=namespaces("kube-system"))
    assert result.findings == []
    assert {"several are billed under its name" in one.reason for one in result.abstained} == {True}


# --- logs ---------------------------------------------------------------------------------------


def logs(stored: float, ingested: float | None, count: int = DAYS) -> list[dict[str, Any]]:
    """So many GB stored at 0.0304 a GB-month, and so many ingested a day."""
    held = []
    for row in charges(LOGS, "log_storage", 1, "3", count, consumed_unit="GB-Months"):
        length = pd.Timestamp(row["charge_date"]).days_in_month
        held.append(row | {"consumed_quantity": Decimal(str(stored)) / length})
    written = charges(LOGS, "log_ingestion", ingested, "1", count, consumed_unit="GB")
    return [*held, *(written if ingested else [])]


def test_logs_of_more_than_a_year_are_told() -> None:
    """1460 GB at 2 a day are 730 days' worth: a year's retention deletes half of 91.25 a month."""
    found = only(judged(logs(1460, 2)), FindingKind.LOG_RETENTION)
    assert found.saving_per_month.mid == Decimal("45.625")
    assert json.loads(found.suggestion) == {"retention_in_days": 365}
    assert "1.46e+03 GB, 730 days of what is ingested" in found.reason
    assert "365 days of retention delete 50% of it" in found.reason


def test_logs_that_expire_or_are_of_a_year_are_right() -> None:
    """A retention that is set does its work."""
    assert nothing(judged(logs(800, 2)))
    falling = logs(1460, 2)
    for number, row in enumerate(falling[:DAYS]):
        row["consumed_quantity"] *= 1 - Decimal(number) / 1000
    assert nothing(judged(falling))


def test_logs_that_nobody_writes_any_more_are_as_old_as_is_known() -> None:
    """Written last year or yesterday: only a bill of a year tells."""
    assert "nothing was ingested in the 45 days that are published" in why(judged(logs(1460, None)))
    found = only(judged(logs(1460, None, 366), covered=366), FindingKind.LOG_RETENTION)
    assert found.evidence.figures["share_deleted"] == 1
    assert found.saving_per_month.mid == Decimal("91.25")


def test_log_units_that_are_not_known_are_not_guessed() -> None:
    """GB and bytes are a thousand million apart."""
    stored = [row | {"consumed_unit": "Units"} for row in logs(1460, None)]
    assert "not told in GB-months" in why(judged(stored))
    written = charges(LOGS, "log_ingestion", 2, "1", consumed_unit="Events")
    assert "not told in GB" in why(judged(logs(1460, None), written))


# --- storage tiers ------------------------------------------------------------------------------


def bucket(
    size: float = 1000, asked: float | None = 0, name: str = S3, **more: Any
) -> list[dict[str, Any]]:
    """So many GB at 0.023 a GB-month by days of March, and requests a day."""
    rows = []
    for row in charges(name, "object_storage_standard", 1, "1", consumed_unit="GB-Months", **more):
        amount = Decimal(str(size)) / pd.Timestamp(row["charge_date"]).days_in_month
        cost = amount * Decimal("0.023")
        rows.append(row | {"consumed_quantity": amount, "effective_cost": cost})
    requests = charges(name, "object_requests", asked, "0.01", consumed_unit="Requests", **more)
    return [*rows, *(requests if asked is not None else [])]


BUSY = "bucket/1/busy"


def test_a_bucket_that_nobody_reads_goes_to_the_cheaper_tier() -> None:
    """Less 1 - 0.0125/0.023 of what it costs, by list prices, and no fees without requests."""
    found = only(judged(bucket(), bucket(name=BUSY, asked=5000)), FindingKind.STORAGE_TIER)
    cost = found.saving_per_month.mid / (1 - Decimal("0.0125") / Decimal("0.023"))
    # 14 days of February and 31 of March at 1000 x 0.023 over their lengths
    paid = Decimal(23) * (Decimal(14) / 28 + 1) / 45 * MONTH
    assert abs(cost - paid) < Decimal("1e-6")
    assert "by the ratio of list prices (Amazon S3 pricing" in found.reason
    assert json.loads(found.suggestion)["Rules"][0]["Transitions"] == [
        {"Days": 30, "StorageClass": "STANDARD_IA"}
    ]
    assert "128 KB" in found.wrong_if


def test_the_price_of_the_tier_in_the_same_region_goes_before_list_prices() -> None:
    """A discount on one tier alone makes list prices promise what is not saved."""
    tier = charges("bucket/1/tier", "object_storage_infrequent", 10, "0.2",
                   consumed_unit="GB-Months")  # fmt: skip
    found = only(judged(bucket(), bucket(name=BUSY, asked=5000), tier), FindingKind.STORAGE_TIER)
    # 0.02 over 0.023
    assert found.evidence.figures["price_ratio"] == pytest.approx(0.02 / 0.023, rel=1e-5)
    assert "at the price that the bill has for that tier in the region" in found.reason
    elsewhere = [row | {"region_id": "us-east-1"} for row in tier]
    found = only(
        judged(bucket(), bucket(name=BUSY, asked=5000), elsewhere), FindingKind.STORAGE_TIER
    )
    assert found.evidence.figures["price_ratio"] == pytest.approx(0.0125 / 0.023, rel=1e-5)


def test_reading_is_taken_off_and_then_forbids_it() -> None:
    """Fees for reading can cost more than the tier saves."""
    busy = bucket(name=BUSY, asked=5000)
    # 2 a day are 60 of 1000 GB a month: at a GB each 6 % of them are read
    found = only(judged(bucket(asked=2), busy), FindingKind.STORAGE_TIER)
    assert found.evidence.figures["retrieval_fee_share"] == pytest.approx(
        0.06 * 0.01 / 0.023, rel=1e-5
    )
    assert nothing(judged(bucket(asked=4), busy))
    sent = charges(S3, "data_transfer", 5, "0.4", consumed_unit="GB")
    assert nothing(judged(bucket(), busy, sent))


@pytest.mark.parametrize("kind", ["object_storage_infrequent", "object_storage_archive",
                                  "object_storage_automatic"])  # fmt: skip
def test_a_bucket_with_a_rule_is_right(kind: str) -> None:
    """What is standard in it is young."""
    tier = charges(S3, kind, 10, "0.1", consumed_unit="GB-Months")
    assert nothing(judged(bucket(), bucket(name=BUSY, asked=5000), tier))


def test_a_bucket_that_is_deleted_from_or_young_is_right() -> None:
    """Each object of the tier is paid for 30 days."""
    busy = bucket(name=BUSY, asked=5000)
    falling = bucket()
    for number, row in enumerate(falling[:DAYS]):
        row["consumed_quantity"] *= 1 - Decimal(number) / 500
    assert nothing(judged(falling, busy))
    assert nothing(judged(bucket(count=20), busy))
    assert nothing(judged(bucket(size=99), busy))


def test_buckets_without_any_request_billed_are_not_judged() -> None:
    """A bill that has no requests would make every bucket an archive."""
    assert why(judged(bucket(asked=None))).startswith("1 billed for storage, and no request of any")


# --- of all -------------------------------------------------------------------------------------


def everything() -> list[list[dict[str, Any]]]:
    return [
        idle_ip(), lb(), lb(OTHER_LB, 3.0), snapshots(), database(60, 30), logs(1460, 2),
        bucket(), bucket(name=BUSY, asked=5000), cluster(), endpoint(),
    ]  # fmt: skip


def test_rows_of_later_days_change_nothing() -> None:
    """A decision made again must be the one that was made."""
    parts = everything()
    told = judged(*parts, covered=150)
    later = [
        row | {"charge_date": AS_OF + timedelta(days=number), "consumed_quantity": Decimal(9)}
        for number in (1, 2, 9)
        for row in [row for part in parts for row in part][::9]
    ]
    after = AS_OF + timedelta(days=9)
    again = judged(*parts, later, history=history(frame(*parts)), days=days(159, after))
    assert again == told
    assert len(told.findings) == 6


def test_order_and_split_rows_change_nothing() -> None:
    """The same bill in another order is the same bill."""
    parts = everything()
    told = judged(*parts, covered=150)
    mixed = frame(*parts).sample(frac=1, random_state=3)
    months = history(frame(*parts)).sample(frac=1, random_state=4)
    again = judged([], covered=150, billed=mixed, history=months)
    assert [f.resource for f in again.findings] == [f.resource for f in told.findings]
    for one, other in zip(told.findings, again.findings, strict=True):
        assert abs(one.saving_per_month.mid - other.saving_per_month.mid) < Decimal("1e-9")


def test_two_currencies_are_never_added() -> None:
    """1 USD and 1 JPY are not 2 of anything."""
    other = idle_ip(20, billing_currency="JPY", until=AS_OF - timedelta(days=25))
    assert "more than one currency" in why(judged(idle_ip(), other))


def test_credits_are_taken_off() -> None:
    """A promise at a price that was never paid is never kept."""
    credit = charges(IP, None, None, "-0.06", sku_id=None, consumed_unit=None,
                     charge_category="Credit")  # fmt: skip
    found = only(judged(idle_ip(), credit), FindingKind.IDLE_ADDRESS)
    assert found.saving_per_month.mid == Decimal("1.825")
    covered = idle_ip(commitment_discount_status="Used")
    assert nothing(judged(covered))


def test_an_empty_bill_says_nothing() -> None:
    """An estate without such resources is not told of them."""
    columns = frame(idle_ip()).columns
    none = pd.DataFrame(columns=columns)
    assert nothing(judged([], billed=none, history=pd.DataFrame(columns=HISTORY)))
    assert nothing(judged(charges("machine/1/vm", "instance_hours", 24, "2")))


@settings(max_examples=12, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["idle_address", "used_address", "load_balancer_hours", "snapshot",
                             "load_balancer_use", "log_storage", "object_storage_standard",
                             "object_requests", "cluster_hours", None]),
            st.one_of(st.none(), st.floats(allow_nan=True, allow_infinity=True)),
            st.decimals(-9, 9, allow_nan=False, places=2),
            st.integers(1, 45),
            st.sampled_from(["Hours", "GB-Months", "GB", "", "%"]),
        ),
        max_size=6,
    )
)  # fmt: skip
def test_bad_input_makes_no_impossible_finding(rows: list[Any]) -> None:
    """Whatever a bill holds, a saving is a number between nothing and what was paid."""
    parts = [
        charges("x/1/x", kind, None, str(cost), count, consumed_unit=unit)
        for kind, _, cost, count, unit in rows
    ]
    for part, (_, quantity, *_) in zip(parts, rows, strict=True):
        for row in part:
            row["consumed_quantity"] = quantity
    if not parts:
        return
    result = judged(*parts)
    costs = [row["effective_cost"] for part in parts for row in part]
    paid = sum((cost for cost in costs if cost > 0), Decimal(0))
    for found in result.findings:
        assert 0 < found.saving_per_month.mid <= paid * MONTH
        assert 0 <= found.risk <= 1
        assert 0 < found.confidence <= 1
    assert all(isinstance(one, Abstained) for one in result.abstained)


@pytest.mark.parametrize(
    ("unit", "size", "held"),
    [
        ("GB-Months", None, 1.0), ("GB-Mo", None, 1.0), ("GB/Month", None, 1.0),
        ("100 GB/Month", None, 100.0), ("gibibyte month", None, 1.073741824), ("GB", 1.0, None),
        ("1 GB", 1.0, None), ("GiB", 1.073741824, None), ("bytes", 1e-9, None),
        ("byte-seconds", None, 1e-9 / 730 / 3600), ("GB-Hours", None, 1 / 730),
        ("Gigabyte Per Hour", None, 1 / 730), ("Hours", None, None), ("10K", None, None),
        ("", None, None), ("vCPU-Hours", None, None),
    ],
)  # fmt: skip
def test_units_of_storage_are_read(unit: str, size: float | None, held: float | None) -> None:
    """A GB taken for a GiB-hour makes a bucket of a byte."""
    assert gigabytes(unit) == (None if size is None else pytest.approx(size))
    assert gigabyte_months(unit) == (None if held is None else pytest.approx(held))
