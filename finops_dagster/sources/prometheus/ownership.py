"""Which workload a pod belongs to, and which node an address is, as they were hour by hour.

Told by kube-state-metrics' and node exporter's information series; numbers are in `rollup`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import duckdb

from finops_dagster.sources.parsing import literal
from finops_dagster.sources.prometheus.catalogue import KSERVE_LABEL, NODE_NAMES, POD_LABELS
from finops_dagster.sources.prometheus.extraction import Part

_POD = ("exported_pod", "pod")
_CHILDREN = {
    "kube_pod_owner": _POD,
    "kube_replicaset_owner": ("replicaset",),
    "kube_job_owner": ("job_name",),
    POD_LABELS: _POD,
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
        pod.owner_kind as first_kind, pod.owner_name as first_name,
        coalesce(owner.owner_kind, '') as second_kind, owner.owner_name as second_name,
        service.owner_name as service
    from kube_pod_owner as pod
    left join (
        select 'ReplicaSet' as kind, * from kube_replicaset_owner
        union all
        select 'Job' as kind, * from kube_job_owner
    ) as owner
        on pod.owner_kind = owner.kind and pod.cluster = owner.cluster
        and pod.namespace = owner.namespace and pod.owner_name = owner.child
        and pod.since < owner.until and owner.since < pod.until
    left join (
        select cluster, namespace, child, min(owner_name) as owner_name from kube_pod_labels
        group by all having count(distinct owner_name) = 1
    ) as service
        on pod.cluster = service.cluster and pod.namespace = service.namespace
        and pod.child = service.child
)
select cluster, namespace, pod, since, until,
    case when service is not null and second_kind = 'Deployment' then second_name end as serving,
    case
        when service is not null then 'InferenceService'
        when first_kind in ('', '<none>', '?', 'Node') then 'Pod'
        when second_kind in ('', '<none>', '?') then first_kind
        else second_kind
    end as kind,
    case
        when service is not null then service
        when first_kind in ('', '<none>', '?', 'Node') then pod
        when second_kind in ('', '<none>', '?') then first_name
        else second_name
    end as name,
    first_kind = '?' or second_kind = '?' as contradicted
from owned
"""


_NOTHING = (
    "select '' as cluster, '' as namespace, '' as child, now() as time, '' as owner_kind, "
    "'' as owner_name, true as controller where false"
)


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
    """The tables `pods`, `serving` (Deployments that are KServe's), `kinds` and `nodes`.

    `cluster`: SQL of a row's cluster.

    A pod without an owner, or of a node (a static pod), is a workload of its own. A pod whose
    owners contradict each other in an hour is so too, for that hour. KServe's pods belong to the
    InferenceService where their labels are told.
    """
    at = f"TIMESTAMPTZ '{start.isoformat()}'"
    for name, children in _CHILDREN.items():
        rows = _told(name, children, parts[name], cluster) if parts.get(name) else _NOTHING
        connection.execute(_OWNED.format(table=name, rows=rows, start=at))
    connection.execute(_PODS)
    connection.execute(
        "create temp table serving as select cluster, namespace, serving as deployment, "
        "min(name) as service from pods where serving is not null "
        "group by all having count(distinct name) = 1"
    )
    connection.execute(
        "create temp table kinds as select cluster, namespace, name, min(kind) as kind from pods "
        "group by all having count(distinct kind) = 1"
    )
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


def _told(name: str, children: Sequence[str], parts: Sequence[Part], cluster: str) -> str:
    """SQL of who owns what in an hour, as an information series tells."""
    kind, owner = quoted("owner_kind"), quoted("owner_name")
    if name == POD_LABELS:
        kind, owner = "'InferenceService'", quoted(KSERVE_LABEL)
    controls = f"{quoted('owner_is_controller')} = 'true'" if name == "kube_pod_owner" else "true"
    owned = f" where {owner} <> ''" if name == POD_LABELS else ""
    return (
        f"select {cluster} as cluster, {first_of(('exported_namespace', 'namespace'))} as "
        f"namespace, {first_of(children)} as child, unnest(times) as time, {kind} as owner_kind, "
        f"{owner} as owner_name, {controls} as controller from {files_of(parts)}{owned}"
    )
