"""Resources that a bill names: their SKUs and the names that findings use."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.billed import (
    billed_days,
    billed_history,
    billed_name,
    billed_resources,
    declared_names,
    named,
    what_of,
)
from finops_dagster.defs.insight.waste.bill import bill
from finops_dagster.settings import load
from finops_dagster.storage.publication import PublicationStore, PublishedReader

NOW = datetime(2026, 4, 1, tzinfo=UTC)
AS_OF = date(2026, 3, 10)
SKU = "'src' as source, p as billing_period, 'AWS' as provider_name, null as service_category"


def published(folder: Path, marts: dict[str, tuple[str, str, list[date]]]) -> PublishedReader:
    """A publication of marts given as SQL, their partition column and partitions."""
    file = folder / "made.duckdb"
    with duckdb.connect(str(file)) as connection:
        for mart, (sql, _, _) in marts.items():
            connection.execute(f"create table {mart} as {sql}")
    store = PublicationStore(folder / "published")
    versions = [
        version
        for mart, (_, column, partitions) in marts.items()
        for version in store.export(file, mart, column, partitions, NOW, {})
    ]
    store.publish(versions, NOW)
    manifest = store.current()
    assert manifest is not None
    return store.reader(manifest)


def costs(rows: str) -> str:
    return f"""
        select {SKU}, null as service_name, sku as sku_id, null as sku_meter, 'Hours' as
            consumed_unit, id as resource_id, d as charge_date, sub as sub_account_id,
            'payer' as billing_account_id, null as resource
        from (values {rows}) as rows (p, d, sku, id, sub)
    """


MARCH = date(2026, 3, 1)
ROWS = """
    (date '2026-03-01', date '2026-03-01', 'idle', 'arn:x/1', 'sub'),
    (date '2026-03-01', date '2026-03-10', 'idle', 'arn:x/1', 'sub'),
    (date '2026-03-01', date '2026-03-10', 'other', 'arn:x/1', 'sub'),
    (date '2026-03-01', date '2026-03-10', 'idle', 'arn:x/2', null),
    (date '2026-03-01', date '2026-03-10', 'idle', null, 'sub'),
    (date '2026-03-01', date '2026-03-11', 'idle', 'arn:x/1', 'sub')
"""


def test_charges_of_the_window_know_their_sku(tmp_path: Path) -> None:
    """A charge of another day, or another SKU's kind, would be judged as this one's."""
    reader = published(
        tmp_path,
        {
            "fct_costs_daily": (costs(ROWS), "billing_period", [MARCH]),
            "dim_skus": (
                f"""
                select {SKU}, null as service_name, sku as sku_id, null as sku_meter,
                    'Hours' as consumed_unit, kind as usage_kind
                from (values (date '2026-03-01', 'idle', 'idle_address')) as rows (p, sku, kind)
                """,
                "billing_period",
                [MARCH],
            ),
        },
    )
    found = billed_resources(reader, AS_OF, 7)
    assert found is not None
    rows = found[["resource_id", "account", "usage_kind", "instance_type"]].itertuples(index=False)
    told = [tuple(one if isinstance(one, str) else None for one in row) for row in rows]
    assert sorted(told, key=str) == [
        ("arn:x/1", "sub", "idle_address", None),
        ("arn:x/1", "sub", None, None),
        ("arn:x/2", "payer", "idle_address", None),
    ]
    names = named(found, {("sub", "arn:x/1"): "Address/shop/web"})
    assert set(names["resource"]) == {"Address/shop/web", "address/payer/arn:x:2"}


def test_a_publication_from_before_kinds_has_none(tmp_path: Path) -> None:
    """An estate that an older release published must still be looked at."""
    reader = published(tmp_path, {"fct_costs_daily": (costs(ROWS), "billing_period", [MARCH])})
    found = billed_resources(reader, AS_OF, 7)
    assert found is not None
    assert found["usage_kind"].isna().all()
    assert set(named(found, {})["resource"]) == {"resource/sub/arn:x:1", "resource/payer/arn:x:2"}


def test_only_a_sure_declaration_names_a_resource(tmp_path: Path) -> None:
    """A finding under another resource's name would edit the wrong manifest."""
    matches = """
        select date '2026-03-10' as day, 'payer' as billing_account_id, null::varchar as
            sub_account_id, id as resource_id, declared as declared_resource, confidence
        from (values
            ('a', 'Bucket/x/a', 0.9), ('b', 'Bucket/x/b', 0.4), ('c', null, null),
            ('d', 'Bucket/x/d', 0.9), ('d', 'Bucket/x/e', 0.9)
        ) as rows (id, declared, confidence)
    """
    reader = published(tmp_path, {"fct_resource_matches": (matches, "day", [AS_OF])})
    assert declared_names(reader, AS_OF) == {("payer", "a"): "Bucket/x/a"}
    assert declared_names(None, AS_OF) == {}


def test_a_machine_is_no_address() -> None:
    """One resource must go by one name, whichever of its charges is looked at."""
    assert what_of(["used_address", "instance_hours", None]) == "machine"
    assert what_of([None]) == "resource"
    assert billed_name("address", "a/b", "/sub/x") == "address/a:b/:sub:x"


def test_history_is_of_the_kinds_that_are_asked_for(tmp_path: Path) -> None:
    """The age of a snapshot is told by all that is published, and by no other usage of it."""
    rows = ", ".join(
        f"(date '{day.replace(day=1)}', date '{day}', '{sku}', 'arn:x/1', 'sub', {quantity})"
        for day, sku, quantity in (
            (date(2026, 2, 27), "snap", 4),
            (date(2026, 2, 28), "snap", 5),
            (date(2026, 3, 1), "snap", 5),
            (date(2026, 3, 2), "snap", 6),
            (date(2026, 3, 3), "snap", 0),
            (date(2026, 1, 1), "other", 9),
            (date(2026, 3, 11), "snap", 9),
        )
    )
    sql = f"""
        select {SKU}, null as service_name, sku as sku_id, null as sku_meter, 'GB-Months' as
            consumed_unit, id as resource_id, d as charge_date, sub as sub_account_id,
            'payer' as billing_account_id, 'Usage' as charge_category,
            quantity::decimal(38, 20) as consumed_quantity
        from (values {rows}) as rows (p, d, sku, id, sub, quantity)
    """
    months = [date(2026, 1, 1), date(2026, 2, 1), MARCH]
    skus = ", ".join(f"(date '{month}', 'snap', 'snapshot')" for month in months)
    reader = published(
        tmp_path,
        {
            "fct_costs_daily": (sql, "billing_period", months),
            "dim_skus": (
                f"""
                select {SKU}, null as service_name, sku as sku_id, null as sku_meter,
                    'GB-Months' as consumed_unit, kind as usage_kind
                from (values {skus}) as rows (p, sku, kind)
                """,
                "billing_period",
                months,
            ),
        },
    )
    found = billed_history(reader, AS_OF, frozenset({"snapshot"}))
    assert found is not None
    columns = ["kind", "unit", "first_day", "last_day", "days", "quantity", "least", "greatest"]
    assert list(found[columns].itertuples(index=False, name=None)) == [
        ("snapshot", "GB-Months", date(2026, 2, 27), date(2026, 2, 28), 2, 9.0, 5.0, 5.0),
        ("snapshot", "GB-Months", date(2026, 3, 1), date(2026, 3, 2), 2, 11.0, 5.0, 6.0),
    ]
    days = billed_days(reader, AS_OF)
    assert days is not None
    assert len(days) == 6
    asked = billed_resources(reader, AS_OF, 45, frozenset({"idle_address"}))
    assert asked is not None
    assert asked.empty
    asked = billed_resources(reader, AS_OF, 45, frozenset({"idle_address"}), ["arn:x/1", "none"])
    assert asked is not None
    assert len(asked) == 5
    asked = billed_resources(reader, AS_OF, 45, frozenset({"snapshot"}))
    assert asked is not None
    assert len(asked) == 5


def test_what_is_published_is_judged(tmp_path: Path) -> None:
    """An engine that is given other columns than are published finds nothing at all."""
    (tmp_path / "bills").mkdir()
    (tmp_path / "finops.yaml").write_text("estate: small\nbilling: [{name: src, path: bills}]\n")
    estate = Estate(load(tmp_path / "finops.yaml"))
    usage = f"""
        select {SKU}, null as service_name, 'idle' as sku_id, null as sku_meter,
            'Hours' as consumed_unit, 'arn:x/1' as resource_id, null as resource_name,
            d::date as charge_date, 'sub' as sub_account_id, 'payer' as billing_account_id,
            'eu-west-1' as region_id, null as resource, 'Usage' as charge_category,
            24::decimal(38, 20) as consumed_quantity, 0.12::decimal(38, 20) as effective_cost,
            0.12::decimal(38, 20) as contracted_cost, 0.12::decimal(38, 20) as list_cost,
            null as commitment_discount_status, 'USD' as billing_currency,
            'shop' as team, 'prod' as environment
        from (
            select date '2026-03-01' as p, unnest(range(date '2026-03-01', date '2026-03-20',
                interval 1 day)) as d
        )
    """
    skus = f"""
        select {SKU}, null as service_name, 'idle' as sku_id, null as sku_meter,
            'Hours' as consumed_unit, 'idle_address' as usage_kind
        from (select date '2026-03-01' as p)
    """
    reader = published(
        tmp_path,
        {
            "fct_costs_daily": (usage, "billing_period", [MARCH]),
            "dim_skus": (skus, "billing_period", [MARCH]),
        },
    )
    (found,) = bill(estate, reader, AS_OF).findings
    assert (found.kind.value, found.resource) == ("idle_address", "address/sub/arn:x:1")
    assert (found.owner, str(found.saving_per_month.mid)) == ("shop", "3.6500000000")
    assert bill(estate, reader, date(2026, 2, 27)).findings == []
