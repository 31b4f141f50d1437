"""Bad and awkward input to finding waste: one change to a sound estate, and what is then said.

What sound estates yield is tested in `test_optimisation`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.domain.decisions import DeclaredResource
from finops_dagster.engines.optimisation import (
    Context,
    FindResult,
    SizingConfig,
    declared_values,
    find,
)
from finops_dagster.engines.optimisation.bounds import declared_bounds
from tests.unit.engines.estates import (
    AS_OF,
    GIB,
    Workload,
    context,
    measurements,
    prices,
    times,
)

CONFIG = SizingConfig(max_change_share=0.6)
NAME = "Deployment/shop/api"
T = times()
N = len(T)
FIRST, LAST = T[0], T[-1]


def level(value: float, days: int = 14) -> np.ndarray:
    """The same use in every interval: sizes can be told by hand."""
    return np.full(days * 288, value)


API = Workload(NAME, level(0.5), level(0.5 * GIB))
"""Asks 1 core and 1 GiB of two replicas, and needs 0.5 x 1.2 = 600m and 0.5 x 1.15 = 589 MiB."""
CUT_CPU = "rightsize_cpu 1 -> 600m"
CUT_MEMORY = "rightsize_memory 1Gi -> 592Mi"
"""588.8 MiB rounded up to a step of 16."""
CUT = (CUT_CPU, CUT_MEMORY)
NO_PRICE = "no cpu charge of its own"


@dataclass(frozen=True)
class Estate:
    """What `find` is given."""

    rows: pd.DataFrame
    prices: pd.DataFrame
    context: Context


def estate(workload: Workload = API, **changes: object) -> Estate:
    """A sound one, of one workload."""
    return Estate(measurements([workload]), prices([workload]), context([workload], **changes))


def said(result: FindResult) -> list[str]:
    """Findings as KIND CURRENT -> PROPOSED (`by hand` without an edit), abstentions as `? ...`."""
    told = [
        f"{one.kind.value} {one.current} -> {one.proposed}"
        if one.field
        else f"{one.kind.value} by hand"
        for one in result.findings
    ]
    return sorted(told) + [f"? {one.subject}: {one.reason}" for one in result.abstained]


def hold(result: FindResult, expected: tuple[str, ...]) -> None:
    """Exactly what is expected is said: of an abstention, the words after `? `."""
    told = said(result)
    assert len(told) == len(expected), told
    for one, wanted in zip(told, sorted(expected, key=lambda text: text[0] == "?"), strict=True):
        if wanted.startswith("? "):
            assert one.startswith("? ") and wanted[2:] in one, told
        else:
            assert one == wanted, told


def rows(**columns: Any) -> Callable[[], Estate]:
    """The sound estate with columns of what is measured set, throughout or by position."""

    def changed() -> Estate:
        sound = estate()
        return replace(sound, rows=sound.rows.assign(**columns))

    return changed


def kept(keep: Callable[[pd.DataFrame], Any], **workload: Any) -> Callable[[], Estate]:
    """The sound estate with only some of its rows."""

    def changed() -> Estate:
        sound = estate(replace(API, **workload))
        return replace(sound, rows=sound.rows.loc[keep(sound.rows)])

    return changed


def of(**workload: Any) -> Callable[[], Estate]:
    """The estate of another workload."""
    return lambda: estate(replace(API, **workload))


def priced(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[], Estate]:
    """The sound estate with other prices."""

    def changed() -> Estate:
        sound = estate()
        return replace(sound, prices=change(sound.prices))

    return changed


def declaring(**values: str) -> Callable[[], Estate]:
    """The sound estate with values declared anew, such as limits_cpu="2"."""
    return lambda: _declaring(API, values)


def _declaring(workload: Workload, values: Mapping[str, str]) -> Estate:
    sound = estate(workload)
    base = f"spec.template.spec.containers[name={workload.container}].resources"
    fields = {f"{base}.{name.replace('_', '.')}": text for name, text in values.items()}
    known = sound.context.values
    more = [(NAME, field, workload.container, text) for field, text in fields.items()]
    declared = pd.concat(
        [known.loc[~known["field"].isin(fields)], pd.DataFrame(more, columns=known.columns)]
    )
    return replace(sound, context=replace(sound.context, values=declared))


def at(positions: Any, value: float, base: float) -> np.ndarray:
    """`base` in every interval, `value` at some positions."""
    out = np.full(N, base)
    out[positions] = value
    return out


def swapped() -> Estate:
    """Renamed after eight days: the old name stops, the new one, declared, goes on."""
    old = replace(API, resource="Deployment/shop/old-api", declared=False)
    frame = measurements([old, API])
    moved = T[8 * 288]
    keep = (frame["resource"] == NAME) == (frame["time"] >= moved)
    return Estate(frame.loc[keep], prices([old, API]), context([old, API]))


def renamed_and_gone() -> Estate:
    """The old name is still declared, and was measured up to four days ago."""
    return kept(lambda frame: frame["time"] < T[10 * 288])()


def with_other(change: Callable[[], Estate]) -> Callable[[], Estate]:
    """Beside another workload that is right as it is, and measured throughout."""

    def changed() -> Estate:
        other = Workload("Deployment/shop/other", level(0.8), level(0.8 * GIB))
        one, beside = change(), estate(other)
        return Estate(
            pd.concat([one.rows, beside.rows]),
            pd.concat([one.prices, beside.prices]),
            replace(
                one.context,
                values=pd.concat([one.context.values, beside.context.values]),
                resources=one.context.resources | beside.context.resources,
                owners=pd.concat([one.context.owners, beside.context.owners]),
                intensity=pd.concat([one.context.intensity, beside.context.intensity]),
            ),
        )

    return changed


IDLE = replace(API, cpu=level(0.002), memory=level(0.1 * GIB), network=20.0)
WEEK = {"cpu": level(0.5, 8), "memory": level(0.5 * GIB, 8), "days": 8}
_SHORT = times(8)
WEEKLY = {
    "cpu": np.where(_SHORT.dayofweek >= 5, 0.1, 0.5),
    "memory": np.where(_SHORT.dayofweek >= 5, 0.45, 0.5) * GIB,
    "days": 8,
}
FORTNIGHT = {"cpu": np.where(T.dayofweek >= 5, 0.1, 0.5)}
STARTS = np.arange(0, N, 2 * 288)
"""The first five minutes of every other day: seven starts."""
BATCH = (T.hour == 2) & (T.dayofweek < 7)

TABLE: dict[str, tuple[Callable[[], Estate], tuple[str, ...]]] = {
    "sound": (estate, CUT),
    # gaps, order and repetition
    "unsorted": (kept(lambda frame: frame.index[::-1]), CUT),
    "every row twice": (
        lambda: replace(estate(), rows=pd.concat([estate().rows, estate().rows])), CUT,
    ),
    "gaps of every other hour": (kept(lambda frame: frame["time"].dt.hour % 2 == 0), CUT),
    "nothing between the first and the last day": (
        kept(lambda frame: (frame["time"] < T[288]) | (frame["time"] >= T[N - 288])),
        ("? measured on 2 days, 7 are needed",),
    ),
    "idle, but seen on the first and the last day only": (
        kept(
            lambda frame: (frame["time"] < T[288]) | (frame["time"] >= T[N - 288]),
            cpu=IDLE.cpu, memory=IDLE.memory, network=IDLE.network,
        ),
        ("? looks idle, but measured on 2 days of 14 only",),
    ),
    "six days": (
        kept(lambda frame: frame["time"] >= T[8 * 288]), ("? measured for 6.0 days, 7 are needed",),
    ),
    "no rows": (kept(lambda frame: frame["time"] < FIRST), ("? declared, but not measured",)),
    "interval not known": (rows(interval_seconds=np.nan), CUT),
    "interval without end": (rows(interval_seconds=np.inf), CUT),
    "no interval": (
        rows(interval_seconds=0), (CUT_CPU, CUT_MEMORY),
    ),
    # restarts that reset counters, impossible use
    "counters that were reset": (rows(cpu_cores=at([5, 900], -3.0, 1.0)), CUT),
    "infinite use": (rows(cpu_cores=at([5, 900], np.inf, 1.0)), CUT),
    "memory below nothing": (
        rows(memory_working_set_bytes=-1.0), (CUT_CPU, "? memory was not measured"),
    ),
    "use beyond any machine": (
        rows(cpu_cores=at([5, 900], 1e9, 1.0)), (CUT_MEMORY, "? more than any machine has"),
    ),
    "use never known": (rows(cpu_cores=np.nan), (CUT_MEMORY, "? cpu was not measured")),
    "crashing": (
        rows(restarts_per_second=2 * 50 / (14 * 86400)),
        ("? restarted 50 times a replica in 14 days",),
    ),
    "restarted now and then": (rows(restarts_per_second=2 * 10 / (14 * 86400)), CUT),
    "crashing and quiet is not idle": (
        lambda: replace(
            estate(IDLE), rows=estate(IDLE).rows.assign(restarts_per_second=2 * 50 / (14 * 86400))
        ),
        ("? restarted 50 times a replica in 14 days",),
    ),
    # declared values: none, nothing, limits under requests, units mixed
    "request of zero": (
        declaring(requests_cpu="0"), (CUT_MEMORY, "? '0' is not a positive quantity"),
    ),
    "request below nothing": (
        declaring(requests_cpu="-1"), (CUT_MEMORY, "? '-1' is not a positive quantity"),
    ),
    "no replica count anywhere": (
        rows(replicas=np.nan, cpu_request_cores=0.0),
        ("? neither its replicas nor its CPU requests are measured",),
    ),
    "limit under its request": (
        declaring(limits_cpu="500m"),
        (CUT_MEMORY, "? declared cpu limit 500m is under its request of 1"),
    ),
    "limit that cannot be read": (
        declaring(limits_memory="lots"),
        (CUT_CPU, "? declared memory limit 'lots' is not a positive quantity"),
    ),
    "request in millicores": (
        declaring(requests_cpu="1000m"), ("rightsize_cpu 1000m -> 600m", CUT_MEMORY),
    ),
    "request in plain bytes": (
        declaring(requests_memory="1073741824"), (CUT_CPU, "rightsize_memory 1073741824 -> 592Mi"),
    ),
    "memory in GB": (
        declaring(requests_memory="1GB"), (CUT_CPU, "? '1GB' is not a positive quantity"),
    ),
    "memory in milli-bytes": (
        declaring(requests_memory="512m"), (CUT_CPU, "? '512m' is 0.512 bytes: a slip"),
    ),
    "cores in words": (
        declaring(requests_cpu="1 core"), (CUT_MEMORY, "? '1 core' is not a positive quantity"),
    ),
    "cpu in Mi": (
        declaring(requests_cpu="100Mi"), (CUT_MEMORY, "? is 104857600 cores: a slip"),
    ),
    "1G and 1Gi are not the same": (
        declaring(requests_memory="1G"), (CUT_CPU, "? last seen running with 1 GiB: not yet"),
    ),
    "use measured in millicores": (
        lambda: replace(
            _declaring(API, {"limits_cpu": "2"}), rows=estate().rows.assign(cpu_cores=1000.0)
        ),
        (CUT_MEMORY, "? over 10 times its limit, which cannot be"),
    ),
    # names
    "renamed after eight days": (swapped, ("? measured for 6.0 days, 7 are needed",)),
    "gone": (
        with_other(renamed_and_gone),
        (f"? {NAME}: not measured since 2026-03-25: stopped, renamed",),
    ),
    "container renamed after ten days": (
        rows(container=np.where(T[10 * 288] > T, "app", "server")),
        ("? measured for 4.0 days, 7 are needed", "? no cpu request is declared",
         "? no memory request is declared"),
    ),
    # timezones
    "times in another zone": (
        lambda: replace(
            estate(), rows=estate().rows.assign(time=T.tz_convert("Asia/Kolkata"))
        ),
        CUT,
    ),
    "times without a zone are UTC": (
        lambda: replace(estate(), rows=estate().rows.assign(time=T.tz_localize(None))), CUT,
    ),
    "times as text with an offset": (
        lambda: replace(
            estate(),
            rows=estate().rows.assign(time=T.tz_convert("Europe/Berlin").map(pd.Timestamp.isoformat)),
        ),
        CUT,
    ),
    # prices
    "no price of CPU": (
        priced(lambda p: p.loc[p["meter"] != "cpu"]), (CUT_MEMORY, f"? {NO_PRICE}"),
    ),
    "price of two days": (
        priced(lambda p: p.loc[(p["meter"] != "cpu") | (p["day"] > "2026-03-27")]),
        (CUT_MEMORY, "? billed on 2 days, 3 are needed"),
    ),
    "negative price": (
        priced(lambda p: p.assign(cost=p["cost"].where(p["meter"] != "cpu", -p["cost"]))),
        (CUT_MEMORY, "? net cpu cost in the window is negative"),
    ),
    "two currencies": (
        priced(lambda p: pd.concat([p, p.loc[p["meter"] == "cpu"].assign(currency="EUR")])),
        (CUT_MEMORY, "? billed in more than one currency"),
    ),
    # kills, limits that hold use down
    "killed without a limit, and used as much as it asks": (
        lambda: replace(
            estate(replace(API, memory=level(0.95 * GIB))),
            rows=measurements([replace(API, memory=level(0.95 * GIB))]).assign(
                oom_kills_per_second=at([700], 1 / 300, 0.0)
            ),
        ),
        (CUT_CPU, "underprovisioned_memory 1Gi -> 1216Mi"),
    ),
    "killed, and used half of what it asks": (
        rows(oom_kills_per_second=at([700], 1 / 300, 0.0)),
        (CUT_CPU, "? was killed 1 times in 14 days for want of memory"),
    ),
    "killed at its limit": (
        lambda: replace(
            _declaring(API, {"limits_memory": "1Gi"}),
            rows=estate().rows.assign(oom_kills_per_second=at([700, 900], 1 / 300, 0.0)),
        ),
        (CUT_CPU, "underprovisioned_memory by hand"),
    ),
    "working set at its limit": (
        lambda: _declaring(
            replace(API, memory=level(0.95 * GIB)), {"limits_memory": "1Gi"}
        ),
        (CUT_CPU, "? was at 90% of its limit or more in 100.0% of intervals"),
    ),
    "one replica at its limit": (
        lambda: replace(
            _declaring(API, {"limits_memory": "1Gi"}),
            rows=estate().rows.assign(memory_replica_max_bytes=0.98 * GIB),
        ),
        (CUT_CPU, "? was at 90% of its limit or more in 100.0% of intervals"),
    ),
    "throttled": (
        rows(cpu_periods_per_second=10.0, cpu_throttled_periods_per_second=3.0),
        (CUT_MEMORY, "? its limit held it back in 100.0% of intervals"),
    ),
    "throttled a little": (
        rows(cpu_periods_per_second=10.0, cpu_throttled_periods_per_second=2.0), CUT,
    ),
    "use at its limit, request below": (
        rows(cpu_limit_cores=2 * 0.51), (CUT_MEMORY, "? its limit held it back in 100.0%"),
    ),
    # peaks at start, batches, weeks
    "busy at each start": (of(cpu=at(STARTS, 2.0, 0.5)), CUT),
    "memory high at each start": (of(memory=at(STARTS, 0.95, 0.5) * GIB), (CUT_CPU,)),
    "a batch every night": (of(cpu=at(BATCH, 0.9, 0.1)), (CUT_MEMORY,)),
    "a week without a pattern": (of(**WEEK), CUT),
    "a week with a pattern": (
        of(**WEEKLY), (CUT_MEMORY, "? its weekends differ from its working days"),
    ),
    "two weeks with a pattern": (of(**FORTNIGHT), CUT),
    # who else sets a scale; kinds
    "target of an autoscaler": (
        lambda: estate(managed={NAME: "HorizontalPodAutoscaler/shop/api"}),
        ("? HorizontalPodAutoscaler/shop/api sets its scale",),
    ),
    "of a StatefulSet": (of(resource="StatefulSet/shop/db"), CUT),
    "of a DaemonSet without replicas": (
        lambda: replace(
            estate(replace(API, resource="DaemonSet/shop/agent")),
            rows=measurements([replace(API, resource="DaemonSet/shop/agent")]).assign(
                replicas=np.nan
            ),
        ),
        CUT,
    ),
    "a quiet DaemonSet waits for work": (
        of(resource="DaemonSet/shop/agent", cpu=IDLE.cpu, memory=IDLE.memory, network=20.0),
        ("rightsize_cpu 1 -> 400m", "rightsize_memory 1Gi -> 416Mi"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", TABLE)
def test_bad_input_is_said_and_never_sizes_in_silence(case: str) -> None:
    """A wrong size starves a workload; a crash or a silent skip reads as `all good`."""
    build, expected = TABLE[case]
    one = build()
    hold(find(one.rows, one.prices, one.context, AS_OF, CONFIG), expected)


def manifest(name: str, spec: Mapping[str, object]) -> DeclaredResource:
    """A declared object of the namespace `shop`."""
    kind = name.split("/")[0]
    return DeclaredResource(
        resource=name, api_version="v1", labels={}, annotations={}, file="x.yaml", document=0,
        manifest=json.dumps({"kind": kind, "spec": spec}),
    )  # fmt: skip


def ranged(**item: object) -> dict[str, DeclaredResource]:
    """A LimitRange of containers."""
    name = "LimitRange/shop/limits"
    return {name: manifest(name, {"limits": [{"type": "Container", **item}]})}


def quota(**hard: str) -> dict[str, DeclaredResource]:
    """A ResourceQuota; `requests_cpu` is requests.cpu."""
    name = "ResourceQuota/shop/quota"
    return {name: manifest(name, {"hard": {k.replace("_", "."): v for k, v in hard.items()}})}


SHORT = replace(API, cpu=level(1.5), memory=level(0.8 * GIB))
"""Uses half a core more than it asks, and needs 1.8 cores."""


@pytest.mark.parametrize(
    ("workload", "declared", "machines", "expected"),
    [
        (SHORT, {}, {}, "underprovisioned_cpu 1 -> 1800m"),
        (SHORT, ranged(max={"cpu": "1500m"}), {}, "underprovisioned_cpu by hand"),
        (SHORT, ranged(max={"cpu": "4"}), {}, "underprovisioned_cpu 1 -> 1800m"),
        (SHORT, ranged(max={"cpu": "many"}), {}, "underprovisioned_cpu 1 -> 1800m"),
        (SHORT, quota(requests_cpu="3"), {}, "underprovisioned_cpu by hand"),
        (SHORT, quota(cpu="3600m"), {}, "underprovisioned_cpu 1 -> 1800m"),
        (SHORT, {}, {"cpu": Decimal("1.7")}, "underprovisioned_cpu by hand"),
        (SHORT, {}, {"cpu": Decimal(2)}, "underprovisioned_cpu 1 -> 1800m"),
        (API, ranged(min={"cpu": "700m"}), {}, "rightsize_cpu 1 -> 700m"),
        (API, ranged(min={"cpu": "800m"}), {}, ""),
        (API, ranged(maxLimitRequestRatio={"cpu": "2"}), {}, "rightsize_cpu 1 -> 600m"),
    ],
)  # fmt: skip
def test_what_the_cluster_would_refuse_is_not_proposed(
    workload: Workload,
    declared: dict[str, DeclaredResource],
    machines: dict[str, Decimal],
    expected: str,
) -> None:
    """A request over a quota or any machine is a pod that never starts."""
    one = estate(workload, bounds=declared_bounds(declared, machines))
    result = find(one.rows, one.prices, one.context, AS_OF, CONFIG)
    assert [text for text in said(result) if "_cpu" in text] == ([expected] if expected else [])


def test_a_limit_bounds_the_request_from_below_where_a_ratio_is_set() -> None:
    """A pod whose limit is more times its request than the LimitRange takes is refused."""
    declared = ranged(maxLimitRequestRatio={"cpu": "2"})
    one = _declaring(API, {"limits_cpu": "1400m"})
    bounded = replace(one.context, bounds=declared_bounds(declared))
    result = find(one.rows, one.prices, bounded, AS_OF, CONFIG)
    assert "rightsize_cpu 1 -> 700m" in said(result)
    assert "LimitRange/shop/limits of 2 allows 700m" in result.findings[0].reason


def test_who_refuses_a_raise_is_named() -> None:
    """`By hand` alone leaves a person to find out what stands in the way."""
    one = estate(SHORT, bounds=declared_bounds(quota(requests_cpu="3")))
    (finding,) = find(one.rows, one.prices, one.context, AS_OF, CONFIG).findings
    assert "more than ResourceQuota/shop/quota of 3: what gives way" in finding.reason
    assert finding.saving_per_month.mid == Decimal("-46.72")  # 0.8 x 2 x 730 x 0.04


def test_a_cut_that_ends_the_guaranteed_class_says_so() -> None:
    """Such a pod is evicted earlier, and loses the cores pinned to it."""
    one = _declaring(API, {"limits_cpu": "1"})
    found = {f.kind.value: f for f in find(one.rows, one.prices, one.context, AS_OF).findings}
    assert "Guaranteed" in found["rightsize_cpu"].wrong_if
    assert "Guaranteed" not in found["rightsize_memory"].wrong_if


def test_signs_after_the_day_change_nothing() -> None:
    """A past day decided again must not know of a kill that came later."""
    later = replace(API, cpu=level(0.5, 16), memory=level(0.5 * GIB, 16), days=16)
    sound = measurements([later])
    after = sound["time"] >= pd.Timestamp(AS_OF - timedelta(days=1), tz="UTC")
    signs = ["oom_kills_per_second", "restarts_per_second", "cpu_throttled_periods_per_second"]
    hurt = sound.assign(cpu_periods_per_second=10.0)
    for sign in signs:
        hurt[sign] = np.where(after, 9.0, 0.0)
    cost, where, early = prices([later], days=16), context([later]), AS_OF - timedelta(days=2)
    assert find(sound, cost, where, early) == find(hurt, cost, where, early)
    assert find(sound, cost, where, AS_OF) != find(hurt, cost, where, AS_OF)


_COLUMNS = (
    "cpu_cores", "memory_working_set_bytes", "cpu_request_cores", "memory_request_bytes",
    "memory_limit_bytes", "replicas", "network_receive_bytes_per_second",
    "interval_seconds", "oom_kills_per_second", "restarts_per_second",
)  # fmt: skip
_SPARSE = measurements([API, replace(IDLE, resource="Deployment/shop/idle")]).iloc[::48]


@settings(max_examples=5, deadline=None)
@given(st.data())
def test_no_garbage_crashes_or_sizes_beyond_reason(data: st.DataObject) -> None:
    """One exporter gone mad must not stop the day for all, nor size by what cannot be."""
    frame = _SPARSE.assign(
        interval_seconds=14400.0, oom_kills_per_second=0.0, restarts_per_second=0.0
    )
    for column in data.draw(st.lists(st.sampled_from(_COLUMNS), min_size=1, max_size=4)):
        value = data.draw(st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 0.0, 1e300, 1e-300]))
        picked = data.draw(st.integers(1, 9))
        frame.loc[frame.index[::picked], column] = value
    two = [API, replace(IDLE, resource="Deployment/shop/idle")]
    result = find(frame, prices(two), context(two), AS_OF, CONFIG)
    for one in result.findings:
        assert 0 <= one.risk <= 1
        assert 0 <= one.confidence <= 1
        assert one.saving_per_month.low <= one.saving_per_month.mid <= one.saving_per_month.high
    assert said(result)


def test_an_autoscaler_that_only_recommends_sets_nothing() -> None:
    """Its target would never be sized, by anybody."""
    name = "VerticalPodAutoscaler/shop/api"
    target = {"kind": "Deployment", "name": "api"}
    found = {}
    for mode in ("Off", "Auto"):
        spec = {"targetRef": target, "updatePolicy": {"updateMode": mode}}
        one = manifest(name, spec)
        whole = json.loads(one.manifest) | {"metadata": {"namespace": "shop", "name": "api"}}
        given = one.model_copy(update={"manifest": json.dumps(whole)})
        found[mode] = declared_values({name: given}, [])[1]
    assert found == {"Off": {}, "Auto": {NAME: name}}
