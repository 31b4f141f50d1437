"""From a bill's rows and a repository's values to machines, their types and what they go by.

What a bill is, and how it is read, is not known here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.engines.optimisation.inputs import word
from finops_dagster.engines.optimisation.machine_prices import UNTOLD
from finops_dagster.engines.optimisation.machines import MACHINE_COLUMNS

KINDS = {"instance_hours": "machine", "database_hours": "database"}
_CATEGORIES = {"Compute": "machine", "Databases": "database"}
"""Usage kind of a SKU, or where none is known FOCUS's service category -> what is billed by the
hour, if its SKU names an instance type."""
AMOUNTS = ("vcpus", "memory_gib", "network_gbps", "disk_mib_per_second")
"""What a list of types may say that one carries."""
TYPE_FIELDS = frozenset(
    {"instance_type", "instance_class", "machine_type", "vm_size", "size", "tier", "sku_name",
     "InstanceType", "DBInstanceClass"}
)  # fmt: skip
"""Last part of the path that declares a type: Terraform's AWS, Google and Azure providers, and
CloudFormation."""
NODE_TAGS = (
    r"^(?:kubernetes\.io/cluster/|k8s\.io/|karpenter\.sh/|eks:|aws:eks:|alpha\.eksctl\.io/"
    r"|aks-managed|goog-k8s-|goog-gke-|k8s-io-)"
)
GROUP_TAGS = r"^(?:aws:autoscaling:groupname|aws:elasticmapreduce:|aws:batch:|aws:ec2:fleet-id)"
"""Keys, in lower case, that only a cluster's nodes or a group's members carry: the tags that EKS,
Karpenter, eksctl, AKS, GKE, and AWS's scaling groups, EMR, Batch and fleets set themselves."""
_NODE_IDS = re.compile(r"/resourcegroups/mc_|/instances/gke-|/gke-[^/]*$")
_GROUP_IDS = re.compile(r"/virtualmachinescalesets/")
"""In a resource id: AKS keeps its nodes in a resource group of its own, GKE names them so."""
LATE_DAYS = 2
"""A bill's newest days are not complete: AWS and Azure take up to 24 to 72 hours for a charge."""
_HOURS = re.compile(r"(1 )?(hrs?|hours?|instance[- ]hours?)")
_SYSTEMS = {"windows": "windows", "rhel": "rhel", "red hat": "rhel", "suse": "suse",
            "ubuntu pro": "ubuntu pro", "linux": "linux"}  # fmt: skip
_ENGINES = ("aurora postgresql", "aurora mysql", "postgresql", "mysql", "mariadb", "oracle",
            "sql server", "db2", "redis", "valkey", "memcached")  # fmt: skip


def hourly(billed: pd.DataFrame, tags: pd.DataFrame) -> pd.DataFrame:
    """Of a bill's rows those of machines and databases by the hour, with `what`, `software`,
    `spot`, `committed` and `grouped`.

    `billed`: rows of `fct_costs_daily` with usage_kind, charge_description, instance_type,
    core_count, memory_gib and gpu_count of their SKU, and `resource`. `tags`: billing_period,
    tag_set_id and tag_key of tags that say whose a machine is. Machines of clusters (their
    autoscaler sizes them) and with GPUs are left out.
    """
    units = billed["consumed_unit"].fillna("").astype(str).str.lower()
    kinds = billed["usage_kind"]
    whats = kinds.map(KINDS).where(kinds.notna(), billed["service_category"].map(_CATEGORIES))
    wanted = (
        whats.notna()
        & (billed["charge_category"] == "Usage")
        & billed["instance_type"].notna()
        & billed["resource"].notna()
        & units.map(lambda unit: _HOURS.fullmatch(unit) is not None)
    )
    rows = billed.loc[wanted].assign(what=whats.loc[wanted])
    node, grouped = (_managed(rows, tags, *by) for by in _MANAGED)
    elsewhere = rows.loc[node | rows["cluster"].notna() | (rows["gpu_count"].astype(float) > 0)]
    rows = rows.assign(grouped=grouped)
    rows = rows.loc[~rows["resource"].isin(elsewhere["resource"])]
    rows = rows.loc[rows["resource"].isin(_running(rows, billed))]
    texts = [
        f"{meter or ''} {text or ''}".lower()
        for meter, text in zip(rows["sku_meter"], rows["charge_description"], strict=True)
    ]
    return rows.assign(
        software=[
            software(text, what, word(service))
            for text, what, service in zip(texts, rows["what"], rows["service_name"], strict=True)
        ],
        spot=["spot" in text or "low priority" in text for text in texts],
        committed=rows["commitment_discount_status"].notna(),
        instance_type=rows["instance_type"].str.removeprefix("db."),
    )


def _running(rows: pd.DataFrame, billed: pd.DataFrame) -> set[str]:
    """Machines billed until the newest day of their source, or shortly before: the rest ended."""
    newest = billed.groupby("source")["charge_date"].max()
    behind = pd.to_datetime(rows["source"].map(newest)) - pd.to_datetime(rows["charge_date"])
    return set(rows.loc[behind <= pd.Timedelta(days=LATE_DAYS), "resource"])


_MANAGED = ((NODE_TAGS, _NODE_IDS), (GROUP_TAGS, _GROUP_IDS))


def _managed(
    rows: pd.DataFrame, tags: pd.DataFrame, keys: str, identifiers: re.Pattern[str]
) -> pd.Series[bool]:
    """Which rows carry a tag of such a key, or are of a resource with such an id."""
    named = rows["resource_id"].fillna("").astype(str).str.lower()
    found = named.map(lambda one: identifiers.search(one) is not None).astype(bool)
    if tags.empty:
        return found
    keyed = tags.loc[tags["tag_key"].str.contains(keys, regex=True)]
    sets = set(zip(keyed["billing_period"], keyed["tag_set_id"], strict=True))
    own = zip(rows["billing_period"], rows["tag_set_id"], strict=True)
    return found | pd.Series([one in sets for one in own], index=rows.index, dtype=bool)


def software(text: str, what: str, service: str = "") -> str:
    """What a charge's words, in lower case, say runs there; where they say nothing it is empty for
    a machine, and UNTOLD with the service for a database.

    What makes another price is part of it: a database's copy in another zone, a host of one's own.
    """
    if what == "database":
        found = next((engine for engine in _ENGINES if engine in text), f"{UNTOLD}{service}")
        return f"{found} multi-az" if "multi-az" in text else found
    found = next((name for word, name in _SYSTEMS.items() if word in text), "")
    if "sql" in text:
        found = f"{found} sql server".strip()
    return f"{found} dedicated".strip() if "dedicated" in text else found


def charges(rows: pd.DataFrame) -> pd.DataFrame:
    """What `billed_prices` asks for, of the rows of `hourly`."""
    return rows.rename(
        columns={
            "region_id": "region",
            "billing_currency": "currency",
            "consumed_quantity": "quantity",
        }
    )


def types(rows: pd.DataFrame, listed: pd.DataFrame) -> pd.DataFrame:
    """What `Catalogue` asks for, of every type in the rows of `hourly` or the list of the user.

    `listed`: instance_type and AMOUNTS, which hold where they are given.
    """
    own = rows.rename(columns={"core_count": "vcpus"}).reindex(columns=["instance_type", *AMOUNTS])
    parts = [
        one[["instance_type"]].assign(**{name: one[name].astype(float) for name in AMOUNTS})
        for one in (listed, own)
    ]
    return pd.concat(parts).groupby("instance_type", as_index=False)[list(AMOUNTS)].first()


def machines(rows: pd.DataFrame, declared: Mapping[str, ValueLocation]) -> pd.DataFrame:
    """MACHINE_COLUMNS of every machine in the rows of `hourly`, by its newest charge.

    `declared`: where a resource's type is declared (`declared_types`).
    """
    found = []
    ordered = rows.sort_values("charge_date", kind="stable")
    for resource, group in ordered.groupby("resource", sort=True):
        last = group.iloc[-1]
        value = declared.get(str(resource))
        found.append(
            {
                "resource": str(resource),
                "what": last["what"],
                "region": word(last["region_id"]),
                "instance_type": last["instance_type"],
                "software": next((one for one in group["software"][::-1] if one), ""),
                "currency": word(last["billing_currency"]),
                "owner": word(last["team"]),
                "environment": word(last["environment"]),
                "field": value.field if value else "",
                "declared": value.value if value else "",
                "held": _held(group),
            }
        )
    return pd.DataFrame(found, columns=list(MACHINE_COLUMNS))


def _held(group: pd.DataFrame) -> str:
    """Why a machine's type is not judged; empty where it is."""
    if group["grouped"].any():
        return "a group starts and stops it: its type is the template's, and all its members'"
    if group["spot"].any():
        return "it runs on spot capacity, whose price moves by itself"
    names = list(dict.fromkeys(group["instance_type"]))
    if len(names) > 1:
        return f"its type changed in the window ({' to '.join(names)}): it is judged after that"
    if len(set(group["software"]) - {""}) > 1:
        return "its charges do not agree on what runs on it, so its price is not known"
    return ""


def declared_types(locations: Iterable[ValueLocation]) -> dict[str, ValueLocation]:
    """Where each resource's type is declared and may be edited; none where several values might."""
    found: dict[str, list[ValueLocation]] = {}
    for location in locations:
        if re.split(r"[.\]]", location.field)[-1] in TYPE_FIELDS:
            found.setdefault(location.resource, []).append(location)
    return {
        resource: values[0]
        for resource, values in found.items()
        if len(values) == 1 and values[0].editable
    }


def measured_as(measured: Iterable[str], rows: pd.DataFrame) -> dict[str, str]:
    """Name that telemetry uses -> the resource that it surely is.

    A machine goes by its resource id, the last part of it, or its resource name, whatever the case;
    a port after the name does not count. A name that two machines go by is neither's.
    """
    known: dict[str, set[str]] = {}
    names = rows[["resource", "resource_id", "resource_name"]].drop_duplicates()
    for resource, identifier, name in names.itertuples(index=False, name=None):
        for alias in _aliases(identifier, name):
            known.setdefault(alias, set()).add(str(resource))
    found = {}
    for name in measured:
        resources = known.get(re.sub(r":\d+$", "", name.lower()), set())
        if len(resources) == 1:
            found[name] = next(iter(resources))
    return found


def _aliases(identifier: object, name: object) -> Iterator[str]:
    if isinstance(identifier, str) and identifier:
        yield identifier.lower()
        yield re.split(r"[/:]", identifier.lower())[-1]
    if isinstance(name, str) and name:
        yield name.lower()


def use(measured: pd.DataFrame, resources: Mapping[str, str]) -> pd.DataFrame:
    """Rows of `fct_machine_measurements` as `machine_needs.USE_COLUMNS`, those of known resources.

    Of two names of one machine that are measured at one time the last holds.
    """
    known = measured.assign(resource=measured["name"].map(resources))
    known = known.loc[known["resource"].notna()]
    return known.assign(
        network_bytes_per_second=np.fmax(
            known["network_receive_bytes_per_second"].astype(float),
            known["network_transmit_bytes_per_second"].astype(float),
        ),
        disk_bytes_per_second=known["disk_read_bytes_per_second"].astype(float)
        + known["disk_written_bytes_per_second"].astype(float),
    )
