"""Which workload a pod belongs to, and which node an address is, as they were hour by hour.

Told by kube-state-metrics' and node exporter's information series; numbers are in `rollup`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb

from finops_dagster.sources.parsing import literal
from finops_dagster.sources.prometheus.catalogue import NODE_NAMES
from finops_dagster.sources.prometheus.extraction import Part

_CHILDREN = {
    "kube_pod_owner": ("exported_pod", "pod"),
    "kube_replicaset_owner": ("replicaset",),
    "kube_job_owner": ("job_name",),
}
_OWNED = """
create temp table {table} as
with told as (
    select cluster, namespace, child, time as hour, owner_kind, owner_name,
        controller, bool_or(controller) over (partition by cluster, namespace, child, time)
            as controlled
    from ({rows})
),
hourly as (
    -- owners that contradict each other in one hour are no owner
    select cluster, namespace, child, hour,
        case when count(distinct (owner_kind, owner_name)) = 1 then min(owner_kind) else '?' end
            as owner_kind,
        case when count(distinct (owner_kind, owner_name)) = 1 then min(owner_name) else '' end
            as owner_name
    from told
    where controller = controlled
    group by all
),
steady as (
    select cluster, namespace, child, min(owner_kind) as owner_kind, min(owner_name) as owner_name
    from hourly
    group by all
    having count(distinct (owner_kind, owner_name)) = 1
),
changing as (
    select * from hourly anti join steady using (cluster, namespace, child)
),
hours as (
    select {start} + to_hours(number) as since from range(24) as numbers (number)
),
by_hour as (
    -- an hour that nobody told of takes the nearest one, of two the earlier
    select cluster, namespace, child, since,
        arg_min((owner_kind, owner_name), abs(epoch(hour) - epoch(since))
            + case when hour > since then 1 else 0 end) as owner
    from changing cross join hours
    group by all
)
select cluster, namespace, child, {start} as since, {start} + interval 1 day as until,
    owner_kind, owner_name
from steady
union all
select cluster, namespace, child, since, since + interval 1 hour, owner[1], owner[2]
from by_hour
"""
_PODS = """
create temp table pods as
with owned as (
    select pod.cluster, pod.namespace, pod.child as pod,
        greatest(pod.since, coalesce(owner.since, pod.since)) as since,
        least(pod.until, coalesce(owner.until, pod.until)) as until,
        pod.owner_kind as pod_owner_kind, pod.owner_name as pod_owner_name,
        owner.owner_kind, owner.owner_name
    from kube_pod_owner as pod
    left join (
        select 'ReplicaSet' as kind, * from kube_replicaset_owner
        union all
        select 'Job' as kind, * from kube_job_owner
    ) as owner
        on pod.owner_kind = owner.kind and pod.cluster = owner.cluster
        and pod.namespace = owner.namespace and pod.owner_name = owner.child
        and pod.since < owner.until and owner.since < pod.until
)
select cluster, namespace, pod, since, until,
    case
        when pod_owner_kind in ('', '<none>', '?', 'Node') then 'Pod'
        when coalesce(owner_kind, '') in ('', '<none>', '?') then pod_owner_kind
        else owner_kind
    end as kind,
    case
        when pod_owner_kind in ('', '<none>', '?', 'Node') then pod
        when coalesce(owner_kind, '') in ('', '<none>', '?') then pod_owner_name
        else owner_name
    end as name,
    pod_owner_kind = '?' or coalesce(owner_kind, '') = '?' as contradicted
from owned
"""


def first_of(labels: Sequence[str]) -> str:
    """SQL of the first label that is not empty; empty text where none is."""
    if not labels:
        return "''"
    texts = [f"nullif({quoted(label)}, '')" for label in labels]
    return f"coalesce({', '.join(texts)}, '')"


def quoted(label: str) -> str:
    """SQL of a label's column."""
    return f'"label_{label}"'


def files_of(parts: Sequence[Part]) -> str:
    """SQL that reads the files of some parts."""
    return f"read_parquet([{', '.join(literal(str(part.file)) for part in parts)}])"


def make_pods(
    connection: duckdb.DuckDBPyConnection,
    parts: Mapping[str, Sequence[Part]],
    cluster: str,
    start: datetime,
) -> None:
    """The tables `pods` and `nodes`. `cluster`: SQL of a row's cluster.

    A pod without an owner, or of a node (a static pod), is a workload of its own. A pod whose
    owners contradict each other in an hour is so too, for that hour.
    """
    at = f"TIMESTAMPTZ '{start.isoformat()}'"
    for name, children in _CHILDREN.items():
        found = parts.get(name, ())
        rows = (
            "select '' as cluster, '' as namespace, '' as child, now() as time, '' as owner_kind, "
        )
        rows += "'' as owner_name, true as controller where false"
        if found:
            controller = (
                f"{quoted('owner_is_controller')} = 'true'" if name == "kube_pod_owner" else "true"
            )
            rows = (
                f"select {cluster} as cluster, "
                f"{first_of(('exported_namespace', 'namespace'))} as namespace, "
                f"{first_of(children)} as child, time, {quoted('owner_kind')} as owner_kind, "
                f"{quoted('owner_name')} as owner_name, {controller} as controller "
                f"from {files_of(found)}"
            )
        connection.execute(_OWNED.format(table=name, rows=rows, start=at))
    connection.execute(_PODS)
    named = parts.get(NODE_NAMES, ())
    source = (
        f"select {cluster} as cluster, label_instance as instance, label_nodename as nodename "
        f"from {files_of(named)}"
        if named
        else "select '' as cluster, '' as instance, '' as nodename where false"
    )
    connection.execute(
        "create temp table nodes as select cluster, instance, min(nodename) as nodename "
        f"from ({source}) group by all having count(distinct nodename) = 1"
    )
