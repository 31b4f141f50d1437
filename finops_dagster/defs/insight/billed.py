"""Resources that a bill names, with what their SKUs are, and the names they go by in findings.

Selections, one join and names only: what is waste is the engines' to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, timedelta

import pandas as pd

from finops_dagster.defs.insight.facts import SURE
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


def billed_resources(reader: PublishedReader, as_of: date, days: int) -> pd.DataFrame | None:
    """Rows of fct_costs_daily of the last `days` days up to `as_of` that name a resource.

    With the columns of their SKU in `dim_skus`: usage_kind, charge_description, instance_type,
    instance_family, core_count, memory_gib, gpu_count, gpu_model, disk_type, storage_class; each
    None where it is not known. `account` is the sub account, else the billing account. None where
    nothing is published.
    """
    first = as_of - timedelta(days=days - 1)
    costs = reader.frame(
        "fct_costs_daily",
        f"""
        select *, coalesce(sub_account_id, billing_account_id) as account
        from mart
        where resource_id is not null
          and charge_date between date '{first.isoformat()}' and date '{as_of.isoformat()}'
        """,
        first=first.replace(day=1),
    )
    return None if costs is None else with_skus(reader, costs, first.replace(day=1))


def with_skus(reader: PublishedReader, costs: pd.DataFrame, first: date) -> pd.DataFrame:
    """`costs` (with the columns of a SKU's grain) with what `dim_skus` says of each one's SKU."""
    skus = reader.frame("dim_skus", first=first)
    known = pd.DataFrame(columns=[*_GRAIN, *_OF_SKUS]) if skus is None else skus
    # published before the column was made, a SKU has no kind
    known = known.reindex(columns=[*_GRAIN, *_OF_SKUS])
    return costs.merge(known, on=_GRAIN, how="left")


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


def named(billed: pd.DataFrame, declared: Mapping[tuple[str, str], str]) -> pd.DataFrame:
    """`billed` (of `billed_resources`) with `resource` set to the name that findings use.

    Its declaration where `declared` has one, else by what it is billed for.
    """
    keys = list(zip(billed["account"].astype(str), billed["resource_id"].astype(str), strict=True))
    kinds: dict[tuple[str, str], set[object]] = {}
    for key, kind in zip(keys, billed["usage_kind"], strict=True):
        kinds.setdefault(key, set()).add(kind)
    names = {
        key: declared.get(key) or billed_name(what_of(found), *key) for key, found in kinds.items()
    }
    return billed.assign(resource=[names[key] for key in keys])
