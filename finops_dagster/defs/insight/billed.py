"""Resources that a bill names, with what their SKUs are, and the names they go by in findings.

Selections, one join and names only: what is waste is the engines' to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

import pandas as pd

from finops_dagster.defs.insight.running import SURE
from finops_dagster.storage.publication import PublishedReader

_GRAIN = [
    "source", "billing_period", "provider_name", "service_category", "service_name", "sku_id",
    "sku_meter", "consumed_unit",
]  # fmt: skip
"""One SKU of `dim_skus`."""
_OF_SKUS = [
    "usage_kind", "charge_description", "instance_type", "instance_family", "core_count",
    "memory_gib", "gpu_count", "gpu_model", "disk_type", "storage_class",
]  # fmt: skip
WHATS = {
    "database_hours": "database",
    "database_storage": "database",
    "endpoint_hours": "endpoint",
    "cluster_hours": "cluster",
    "serverless_compute": "function",
    "serverless_provisioned": "function",
    "serverless_requests": "function",
    "instance_hours": "machine",
    "load_balancer_hours": "load_balancer",
    "load_balancer_use": "load_balancer",
    "gateway_hours": "gateway",
    "gateway_use": "gateway",
    "snapshot": "snapshot",
    "idle_address": "address",
    "used_address": "address",
    "address": "address",
    "volume": "volume",
    "log_storage": "log_group",
    "log_ingestion": "log_group",
    "object_storage_standard": "bucket",
    "object_storage_infrequent": "bucket",
    "object_storage_archive": "bucket",
    "object_requests": "bucket",
}
"""Usage kind -> what a resource is that is billed for it. Of several kinds the first here holds:
a machine has addresses and volumes, they have no machine."""


def billed_resources(
    reader: PublishedReader,
    as_of: date,
    days: int,
    kinds: frozenset[str] | None = None,
    also: Sequence[str] = (),
) -> pd.DataFrame | None:
    """Rows of fct_costs_daily of the last `days` days up to `as_of` that name a resource.

    With `kinds`, all rows of those resources alone that have usage of one of these kinds, and of
    the resource ids in `also`.

    With the columns of their SKU in `dim_skus`: usage_kind, charge_description, instance_type,
    instance_family, core_count, memory_gib, gpu_count, gpu_model, disk_type, storage_class; each
    None where it is not known. `account` is the sub account, else the billing account. None where
    nothing is published.
    """
    first = as_of - timedelta(days=days - 1)
    month = first.replace(day=1)
    skus = _skus(reader, month)
    window = f"between date '{first.isoformat()}' and date '{as_of.isoformat()}'"
    of_kinds = "true"
    if kinds is not None:
        of_kinds = f"""
            resource_id in (
                select resource_id from mart
                where charge_date {window} and {_SKU} in (select unnest($skus))
                union all
                select unnest($also)
            )
        """
    costs = reader.frame(
        "fct_costs_daily",
        f"""
        select *, coalesce(sub_account_id, billing_account_id) as account
        from mart
        where resource_id is not null and charge_date {window} and {of_kinds}
        """,
        first=month,
        given=None if kinds is None else {"skus": _keys(skus, kinds), "also": list(also)},
    )
    return None if costs is None else costs.merge(skus, on=_GRAIN, how="left")


def usage_kinds(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """account, resource_id, usage_kind of what is billed in the last `days` days up to `as_of`."""
    first = as_of - timedelta(days=days - 1)
    found = reader.frame(
        "fct_costs_daily",
        f"""
        select distinct
            coalesce(sub_account_id, billing_account_id) as account, resource_id,
            {", ".join(_GRAIN)}
        from mart
        where resource_id is not null
          and charge_date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
        order by all
        """,
        first=first.replace(day=1),
    )
    return None if found is None else with_skus(reader, found, first.replace(day=1))


def with_skus(reader: PublishedReader, costs: pd.DataFrame, first: date) -> pd.DataFrame:
    """Rows of `fct_costs_daily` of the months since `first`, with the columns of their SKU."""
    return costs.merge(_skus(reader, first), on=_GRAIN, how="left")


def billed_history(
    reader: PublishedReader, as_of: date, kinds: frozenset[str]
) -> pd.DataFrame | None:
    """Usage of some kinds by resource and month, over all that is published up to `as_of`.

    Columns account, resource_id, month, kind, unit, first_day, last_day, days, quantity, least and
    greatest (daily quantities of days between a resource's first and last). None where nothing is
    published.
    """
    skus = _skus(reader, None)
    found = reader.frame(
        "fct_costs_daily",
        f"""
        with usage as (
            select
                coalesce(sub_account_id, billing_account_id) as account,
                resource_id, charge_date, {", ".join(_GRAIN)},
                sum(consumed_quantity)::double as quantity,
                count(*) = count(consumed_quantity) as is_told
            from mart
            where resource_id is not null and charge_category = 'Usage'
              and charge_date <= date '{as_of.isoformat()}'
              and {_SKU} in (select unnest($skus))
            group by all
        ),
        marked as (
            select
                *,
                charge_date > min(charge_date) over (partition by account, resource_id)
                and charge_date < max(charge_date) over (partition by account, resource_id)
                    as is_whole
            from usage
        )
        select
            account, resource_id, date_trunc('month', charge_date)::date as month,
            {", ".join(_GRAIN)},
            min(charge_date) filter (where quantity > 0 or not is_told) as first_day,
            max(charge_date) filter (where quantity > 0 or not is_told) as last_day,
            count(distinct charge_date) filter (where quantity > 0 or not is_told) as days,
            case when bool_and(is_told) then sum(quantity order by charge_date) end as quantity,
            min(quantity) filter (where is_whole) as least,
            max(quantity) filter (where is_whole) as greatest
        from marked
        group by all
        order by all
        """,
        given={"skus": _keys(skus, kinds)},
    )
    if found is None:
        return None
    found = found.merge(skus[[*_GRAIN, "usage_kind"]], on=_GRAIN, how="left")
    return found.rename(columns={"usage_kind": "kind", "consumed_unit": "unit"}).loc[
        found["first_day"].notna()
    ]


def billed_days(reader: PublishedReader, as_of: date) -> pd.DataFrame | None:
    """source, day: each day up to `as_of` of which a source has billed anything."""
    return reader.frame(
        "fct_costs_daily",
        f"""
        select distinct source, charge_date as day from mart
        where charge_category = 'Usage' and charge_date <= date '{as_of.isoformat()}'
        order by all
        """,
    )


def _skus(reader: PublishedReader, first: date | None) -> pd.DataFrame:
    """`dim_skus` of billing periods from `first` on: its grain, and what it says of each SKU."""
    found = reader.frame("dim_skus", first=first)
    known = pd.DataFrame(columns=[*_GRAIN, *_OF_SKUS]) if found is None else found
    # published before the column was made, a SKU has no kind
    return known.reindex(columns=[*_GRAIN, *_OF_SKUS])


_SKU = "concat_ws('|', " + ", ".join(f"coalesce({name}::varchar, '')" for name in _GRAIN) + ")"


def _keys(skus: pd.DataFrame, kinds: frozenset[str]) -> list[str]:
    """SKUs of some kinds, as `_SKU` spells them."""
    wanted = skus.loc[skus["usage_kind"].isin(kinds), _GRAIN]
    wanted = wanted.astype(object).where(wanted.notna(), "")
    return ["|".join(map(str, row)) for row in wanted.itertuples(index=False, name=None)]


def declared_names(joined: PublishedReader | None, as_of: date) -> dict[tuple[str, str], str]:
    """(account, resource id) -> the declaration that it surely is, as KIND/NAMESPACE/NAME.

    `joined` reads the joined marts of the day (`resources.reader`). One that is told to be two
    declarations is none.
    """
    if joined is None:
        return {}
    rows = joined.records(
        "fct_resource_matches",
        f"""
        select
            coalesce(sub_account_id, billing_account_id) as account,
            resource_id,
            min(declared_resource) as declared
        from mart
        where resource_id is not null and declared_resource is not null and confidence >= {SURE}
        group by 1, 2
        having count(distinct declared_resource) = 1
        """,
        first=as_of,
        last=as_of,
    )
    return {(str(r["account"]), str(r["resource_id"])): str(r["declared"]) for r in rows}


def billed_name(what: str, account: str, resource_id: str) -> str:
    """`<what>/<account>/<resource id>`: what a resource is called that nothing declares."""
    return f"{what}/{account.replace('/', ':')}/{resource_id.replace('/', ':')}"


def what_of(kinds: Iterable[object]) -> str:
    """What a resource is that is billed for usage of these kinds; `resource` where none tells."""
    found = set(kinds)
    return next((what for kind, what in WHATS.items() if kind in found), "resource")


def named(
    billed: pd.DataFrame,
    declared: Mapping[tuple[str, str], str],
    names: Mapping[tuple[str, str], str] | None = None,
) -> pd.DataFrame:
    """`billed` (of `billed_resources`) with `resource` set to the name that findings use.

    Its declaration where `declared` has one, else by what it is billed for; or as `names` has it.
    """
    names = names or names_of(declared, billed)
    keys = zip(billed["account"].astype(str), billed["resource_id"].astype(str), strict=True)
    return billed.assign(resource=[names[key] for key in keys])


def names_of(
    declared: Mapping[tuple[str, str], str], *frames: pd.DataFrame
) -> dict[tuple[str, str], str]:
    """(account, resource id) -> name, of all resources in frames with usage_kind or kind."""
    kinds: dict[tuple[str, str], set[object]] = {}
    for frame in frames:
        kind = "usage_kind" if "usage_kind" in frame else "kind"
        columns = frame[["account", "resource_id", kind]].drop_duplicates()
        for account, resource_id, one in columns.itertuples(index=False, name=None):
            kinds.setdefault((str(account), str(resource_id)), set()).add(one)
    return {
        key: declared.get(key) or billed_name(what_of(found), *key) for key, found in kinds.items()
    }
