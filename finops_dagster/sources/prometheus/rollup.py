"""All answers about a day to rows of `measurements`: series to pods, pods to workloads.

What was asked is in `extraction`; who owns a pod in `ownership`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from finops_dagster.domain.errors import Fault
from finops_dagster.domain.periods import day_start
from finops_dagster.sources.parsing import literal
from finops_dagster.sources.prometheus.catalogue import CATALOGUE, OWNERS, POD_LABELS, Metric
from finops_dagster.sources.prometheus.extraction import Extracted, Part
from finops_dagster.sources.prometheus.options import PrometheusOptions
from finops_dagster.sources.prometheus.ownership import files_of, first_of, make_pods, quoted
from finops_dagster.sources.prometheus.plan import DAY_SECONDS

ROWS = pa.schema(
    [
        ("time", pa.timestamp("us", tz="UTC")),
        ("interval_seconds", pa.int64()),
        ("metric", pa.string()),
        ("cluster", pa.string()),
        ("namespace", pa.string()),
        ("kind", pa.string()),
        ("name", pa.string()),
        ("container", pa.string()),
        ("value", pa.float64()),
        ("value_max", pa.float64()),
        ("value_p50", pa.float64()),
        ("value_p95", pa.float64()),
        ("series", pa.int64()),
        ("label", pa.string()),
        ("label_value", pa.string()),
    ]
)
_BATCH_ROWS = 122_880
_FOLDS = {
    "sum": "sum(value order by value)",
    "mean": "avg(value order by value)",
    "max": "max(value)",
}
"""In order of the values: a sum of floats depends on it, and a day gives the same rows again."""
_MOST_SAMPLES = 2_000_000
"""Of a metric that are rolled up at once: what bounds the memory, however many series there are."""
_SLICED = """list_transform(values, lambda value: value * coalesce(
    try_cast(regexp_extract({label}, '_mig_([1-7])g_', 1) as double) / 7, 1))"""
"""A GPU has seven compute slices (NVIDIA, MIG User Guide, supported profiles of A100 and later)."""
_IDENTITY = ("cluster", "kind", "namespace", "name", "pod", "container", "node", "member")
_WHOSE = """
create or replace temp table whose as
select row_number() over () as id, identity.*
from (select distinct {identity} from ({parts}) where len(times) > 0) as identity
"""
_TARGETS = """
create or replace temp table targets as
with found as (
    select whose.id, whose.cluster,
        coalesce(pods.since, '-infinity'::timestamptz) as since,
        coalesce(pods.until, 'infinity'::timestamptz) as until,
        case when whose.pod <> '' or whose.name <> '' then whose.namespace else '' end
            as namespace,
        case when whose.pod <> '' then coalesce(pods.kind, 'Pod')
            when serving.service is not null then 'InferenceService'
            when whose.name <> '' then coalesce(nullif(whose.kind, ''), kinds.kind, 'Workload')
            when whose.node <> '' then 'Node' else '' end as kind,
        case when whose.pod <> '' then coalesce(pods.name, whose.pod)
            when whose.name <> '' then coalesce(serving.service, whose.name)
            else coalesce(nodes.nodename, regexp_replace(whose.node, ':[0-9]+$', '')) end as name,
        case when whose.pod <> '' then whose.container else '' end as container,
        whose.pod <> '' and pods.kind is null as unowned
    from whose
    left join pods
        on whose.cluster = pods.cluster and whose.namespace = pods.namespace
        and nullif(whose.pod, '') = pods.pod
    left join serving
        on whose.cluster = serving.cluster and whose.namespace = serving.namespace
        and case when whose.kind = 'Deployment' then whose.name end = serving.deployment
    left join kinds
        on whose.cluster = kinds.cluster and whose.namespace = kinds.namespace
        and case when whose.pod = '' and whose.kind = '' then whose.name end = kinds.name
    left join nodes
        on whose.cluster = nodes.cluster
        and case when whose.pod = '' and whose.name = '' then whose.node end = nodes.instance
)
select *, dense_rank() over (order by cluster, namespace, kind, name, container) as target
from found
"""
"""A condition on one side alone would make each outer join a loop over all pods for every series:
it is part of a key instead."""
_WORKLOADS = """
create or replace temp table workloads as
select distinct target, cluster, namespace, kind, name, container, cluster <> '' and name <> ''
    as named
from targets
"""
_MEASURED = """
create or replace temp table measured as
with
    points as (
        select statistic, id, unnest(times) as time, unnest(values) as value
        from ({parts}) as part join whose using ({identity})
    ),
    -- one series under two sets of labels, as after a restart, is still one
    once as (
        select statistic, id, time, max(value) as value
        from points
        where time >= {since} and time < {until}
        group by all
    )
select once.statistic, once.time, targets.target, once.value
from once
join targets
    on once.id = targets.id and once.time >= targets.since and once.time < targets.until
"""
_ROWS = """
select
    time, {step}::bigint as interval_seconds, {metric} as metric, cluster, namespace, kind, name,
    container, folded.* exclude (time, target), null::varchar as label,
    null::varchar as label_value
from (
    select
        time, target,
        {fold} filter (statistic = 'mean') as value,
        max(value) filter (statistic = 'max') as value_max,
        max(value) filter (statistic = 'p50') as value_p50,
        max(value) filter (statistic = 'p95') as value_p95,
        count(*) filter (statistic = 'mean') as series
    from measured
    group by time, target
    having count(*) filter (statistic = 'mean') > 0
) as folded
join workloads using (target)
where named
order by cluster, namespace, kind, name, container, time
"""
_LABELS = """
with told as ({parts})
select
    {start} as time, {seconds}::bigint as interval_seconds, {metric} as metric, pods.cluster,
    pods.namespace, pods.kind, pods.name, '' as container, count(*)::double as value,
    null::double as value_max, null::double as value_p50, null::double as value_p95,
    count(distinct pods.pod) as series, told.label, told.label_value
from told
join pods
    on told.cluster = pods.cluster and told.namespace = pods.namespace and told.pod = pods.pod
    and told.time >= pods.since and told.time < pods.until
where told.label_value <> '' and pods.cluster <> ''
group by all
order by all
"""
"""A day's row for each label and value of a workload's pods; `value` is in hours of pods."""


@dataclass(frozen=True)
class Day:
    """What became of a day: how many rows, and what is to be told of it."""

    rows: int
    notes: tuple[Fault, ...]


def roll_up(
    connection: duckdb.DuckDBPyConnection,
    day: date,
    extracted: Extracted,
    options: PrometheusOptions,
    out: Path,
) -> Day:
    """Write the rows of a day to `out`, by metric of the catalogue and then by workload.

    `value` is the sum over a workload's series (`Metric.fold`) of their means in the interval;
    `value_max`, `value_p50` and `value_p95` are each the largest that any one of its series has,
    so that they are of a single replica; `series` says of how many series the value is.
    """
    parts: dict[str, list[Part]] = defaultdict(list)
    for part in extracted.parts:
        parts[part.key].append(part)
    cluster = (
        quoted(options.cluster_label) if options.cluster_label else literal(options.cluster or "")
    )
    make_pods(connection, parts, cluster, day_start(day))
    notes = [*_absent(extracted), *_strange(extracted.parts)]
    rows = 0
    unowned: set[tuple[str, ...]] = set()
    with pq.ParquetWriter(out, ROWS, compression="zstd") as writer:
        for metric in CATALOGUE:
            if not parts[metric.name]:
                continue
            query = _ROWS.format(
                step=options.step_seconds, metric=literal(metric.name), fold=_FOLDS[metric.fold]
            )
            present = nameless = 0
            for _ in _measured(connection, metric, parts[metric.name], cluster, day, options):
                for batch in connection.execute(query).to_arrow_reader(_BATCH_ROWS):
                    writer.write_batch(batch.cast(ROWS))
                    rows += batch.num_rows
                there, nobodys = _counted(connection)
                present, nameless = present + there, nameless + nobodys
            notes.extend(_gaps(metric, day, options, present, nameless))
            if options.owners == "kube_state_metrics":
                unowned |= _unowned(connection)
        if options.pod_labels and parts[POD_LABELS]:
            query = _labels(parts[POD_LABELS], cluster, day, options)
            for batch in connection.execute(query).to_arrow_reader(_BATCH_ROWS):
                writer.write_batch(batch.cast(ROWS))
                rows += batch.num_rows
    if unowned:
        notes.append(_pods_without_owner(unowned))
    contradicted = connection.execute(
        "select distinct namespace || '/' || pod from pods where contradicted order by all"
    ).fetchall()
    if contradicted:
        notes.append(_contradicted([row[0] for row in contradicted]))
    return Day(rows, tuple(notes))


def _labels(parts: Sequence[Part], cluster: str, day: date, options: PrometheusOptions) -> str:
    """SQL of the day's rows of `kube_pod_labels`."""
    told = " union all ".join(
        f"select {cluster} as cluster, {first_of(('exported_namespace', 'namespace'))} as "
        f"namespace, {first_of(('exported_pod', 'pod'))} as pod, unnest(times) as time, "
        f"{literal(label)} as label, {quoted(f'label_{label}')} as label_value "
        f"from {files_of(parts)}"
        for label in options.label_series
    )
    return _LABELS.format(
        parts=told,
        start=f"TIMESTAMPTZ '{day_start(day).isoformat()}'",
        seconds=DAY_SECONDS,
        metric=literal(POD_LABELS),
    )


def _measured(
    connection: duckdb.DuckDBPyConnection,
    metric: Metric,
    parts: Sequence[Part],
    cluster: str,
    day: date,
    options: PrometheusOptions,
) -> Iterator[None]:
    """The table `measured`: every value with its workload, of one stretch of the day at a time."""
    identity = ", ".join(_IDENTITY)
    series = _series(metric, parts, cluster)
    connection.execute(_WHOSE.format(parts=series, identity=identity))
    connection.execute(_TARGETS)
    connection.execute(_WORKLOADS)
    intervals = DAY_SECONDS // options.step_seconds
    needed = -(-sum(part.samples for part in parts) // _MOST_SAMPLES)
    stretch = max(1, intervals // max(1, needed)) * options.step_seconds
    start = int(day_start(day).timestamp())
    starts = range(start, start + DAY_SECONDS, stretch)
    for since, until in pairwise([*starts, start + DAY_SECONDS]):
        within = [part for part in parts if part.start < until and part.end > since]
        if within:
            connection.execute(
                _MEASURED.format(
                    parts=_series(metric, within, cluster),
                    identity=identity,
                    since=f"to_timestamp({since})",
                    until=f"to_timestamp({until})",
                )
            )
            yield


def _series(metric: Metric, parts: Sequence[Part], cluster: str) -> str:
    """SQL of the series in some parts, each with what tells whose it is."""
    whose = metric.whose
    by_statistic: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        by_statistic[part.statistic].append(part)
    kind = literal(whose.kind) if whose.kind else first_of(whose.kind_labels)
    member = " || '/' || ".join(quoted(label) for label in metric.members) or "''"
    values = _SLICED.format(label=quoted(metric.slices)) if metric.slices else "values"
    return " union all ".join(
        f"select {literal(statistic)} as statistic, {cluster} as cluster, {kind} as kind, "
        f"{first_of(whose.namespace)} as namespace, {first_of(whose.name)} as name, "
        f"{first_of(whose.pod)} as pod, {first_of(whose.container)} as container, "
        f"{first_of(whose.node)} as node, {member} as member, times, {values} as values "
        f"from {files_of(found)}"
        for statistic, found in by_statistic.items()
    )


def _unowned(connection: duckdb.DuckDBPyConnection) -> set[tuple[str, ...]]:
    return {
        tuple(row)
        for row in connection.execute(
            "select distinct namespace, name from targets where unowned"
        ).fetchall()
    }


def _counted(connection: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    """Intervals that have a value of somebody, and values of nobody, in `measured`."""
    counted = connection.execute(
        "select count(distinct time) filter (named), "
        "count(*) filter (statistic = 'mean' and not named) "
        "from measured join workloads using (target)"
    ).fetchone()
    assert counted is not None
    present, nameless = counted
    return present, nameless


def _gaps(
    metric: Metric, day: date, options: PrometheusOptions, present: int, nameless: int
) -> Iterable[Fault]:
    """Intervals of the day without a single series, and series of nobody."""
    whole = DAY_SECONDS // options.step_seconds
    if present < whole:
        yield Fault(
            code="metric_incomplete",
            column=metric.name,
            expected=f"Values in all {whole} intervals of {day}; {present} have one "
            f"({100 * present / whole:.1f} %), the others are gaps, not zeros.",
            hint=f"Look whether {metric.exporter} was scraped all day; nothing to do for a metric "
            "of what runs now and then.",
        )
    if nameless:
        yield Fault(
            code="series_without_owner",
            column=metric.name,
            expected=f"Labels {', '.join(metric.whose.labels)}"
            f"{f' and {options.cluster_label}' if options.cluster_label else ''}; {nameless} "
            "values have none that says whose they are, and were left out.",
            hint="Look at the relabelling of this exporter's scrape.",
        )


def _absent(extracted: Extracted) -> list[Fault]:
    """Metrics that the store had nothing of all day: whole exporters, then single metrics."""
    missing: dict[str, list[str]] = defaultdict(list)
    there = set()
    for metric in CATALOGUE:
        if metric.series in extracted.surveyed:
            there.add(metric.exporter)
        else:
            missing[metric.exporter].append(metric.name)
    notes = []
    if others := sorted(missing.keys() - there):
        notes.append(_missing("exporter", "Nothing to do where they do not run", others))
    for exporter in sorted(missing.keys() & there):
        hint = "Nothing to do where it is not asked to tell of them"
        notes.append(_missing(exporter, hint, missing[exporter]))
    if owners := [name for name in OWNERS if name not in extracted.surveyed]:
        notes.append(_missing("owners", "Nothing to do where no pod has such an owner", owners))
    return notes


def _missing(column: str, hint: str, names: Sequence[str]) -> Fault:
    return Fault(
        code="metric_absent",
        column=column,
        expected=f"Series of {', '.join(names)}; the store has none of this day. They are not "
        "known, which is not zero.",
        hint=f"{hint}; else look whether they were scraped.",
    )


def _strange(parts: Iterable[Part]) -> list[Fault]:
    """Points that are no numbers, and answers out of order, by metric."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for part in parts:
        for place, count in enumerate((part.not_a_number, part.infinite, part.unordered)):
            counts[part.key][place] += count
    notes = []
    for key, (nan, infinite, unordered) in sorted(counts.items()):
        if nan or infinite:
            notes.append(
                Fault(
                    code="value_not_finite",
                    column=key,
                    expected=f"Finite values; {nan} were NaN and {infinite} infinite. They were "
                    "left out: they count as missing.",
                    hint="Look at the exporter; a ratio of nothing by nothing is NaN.",
                )
            )
        if unordered:
            notes.append(
                Fault(
                    code="answer_unordered",
                    column=key,
                    expected=f"Points in order of time; {unordered} came late in their series, "
                    "and were put in order.",
                    hint="Nothing to do; the store, or what is before it, merges answers badly.",
                )
            )
    return notes


def _pods_without_owner(unowned: set[tuple[str, ...]]) -> Fault:
    shown = ", ".join("/".join(pod) for pod in sorted(unowned)[:5])
    return Fault(
        code="owner_unknown",
        column="kube_pod_owner",
        expected=f"An owner of every pod; {len(unowned)} have none that day, and stand for "
        f"themselves as kind Pod ({shown}).",
        hint="Look whether kube-state-metrics is scraped, and with its own labels kept "
        "(`honor_labels` or `exported_`).",
    )


def _contradicted(pods: Sequence[str]) -> Fault:
    return Fault(
        code="owner_contradicted",
        column="kube_pod_owner",
        expected=f"One owner of a pod in an hour; {len(pods)} had several, and stand for "
        f"themselves or for their ReplicaSet or Job in that hour ({', '.join(pods[:5])}).",
        hint="Nothing to do where names are used again; else look for two clusters under one name.",
    )
