"""Two pull requests are merged, two weeks pass, and the loop runs again.

What was merged must be seen in measurements and bill, to the size promised; nothing else may move.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from finops_dagster.defs.estate import Estate
from finops_dagster.domain.periods import HOURS_PER_MONTH
from finops_dagster.settings import load
from finops_dagster.storage.publication import PublishedReader
from tests.e2e.estate import PARTS, Answer, World, finops, git

pytestmark = pytest.mark.conformance
"""What the demo does by itself is asked in tests/unit/demo; the first two runs in test_loop."""

DAYS = 14
LAST_BEFORE = date(2026, 10, 22)
AS_OF = LAST_BEFORE + timedelta(days=DAYS)
DEMO = (".demo", *PARTS, "truth.json")
METERS = {"rightsize_cpu": "vCPU-hours", "rightsize_memory": "GiB-hours"}


@dataclass(frozen=True)
class Lived:
    """The estate two weeks on, with two merges and one rejection, and without any."""

    merged: list[dict[str, Any]]
    containers: dict[str, str]
    """Key of what was merged -> the container it sizes."""
    rejected: dict[str, Any]
    advanced: Answer
    run: Answer
    folder: Path
    untouched: Path
    """The same two weeks of an estate in which nothing was merged; not run."""

    def reader(self) -> PublishedReader:
        store = Estate(load(self.folder / "finops.yaml")).publications
        manifest = store.current()
        assert manifest is not None
        return store.reader(manifest)


@pytest.fixture(scope="module")
def lived(world: World, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    base = tmp_path_factory.mktemp("advance")
    untouched = base / "untouched"
    untouched.mkdir()
    for part in DEMO:
        source = world.folder / part
        if source.is_dir():
            shutil.copytree(source, untouched / part)
        else:
            shutil.copyfile(source, untouched / part)
    assert finops(untouched, "demo", "advance", "--days", str(DAYS), "--out", ".").code == 0
    folder = base / "estate"
    shutil.copytree(world.folder, folder)
    pulls = finops(folder, "prs", "--json").items
    merged = [
        next(one for one in pulls if one["kind"] == kind and one["verdict"] == "allow")
        for kind in METERS
    ]
    fields = {one["key"]: one["field"] for one in finops(folder, "proposals", "--json").items}
    named = {one["key"]: re.findall(r"\[name=([^]]+)\]", fields[one["key"]])[0] for one in merged}
    for one in merged:
        assert finops(folder, "pr", "merge", str(one["number"])).code == 0
    rejected = next(one for one in pulls if one not in merged and one["verdict"] == "allow")
    assert finops(folder, "pr", "close", str(rejected["number"])).code == 0
    advanced = finops(folder, "demo", "advance", "--days", str(DAYS), "--out", ".", "--json")
    run = finops(folder, "run", "--json")
    return Lived(merged, named, rejected, advanced, run, folder, untouched)


def sizes(title: str) -> tuple[Decimal, Decimal]:
    """Before and after, in cores or GiB, from a title such as `...: 16384Mi to 8Gi (...)`."""
    found = re.search(r": (\S+) to (\S+) \(", title)
    assert found is not None
    units = {"m": Decimal("0.001"), "Mi": 1 / Decimal(1024), "Gi": Decimal(1), "": Decimal(1)}

    def amount(text: str) -> Decimal:
        match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", text)
        assert match is not None
        return Decimal(match[1]) * units[match[2]]

    return amount(found[1]), amount(found[2])


def requests(reader: PublishedReader) -> pd.DataFrame:
    """Requests of one replica, in cores and GiB, by resource, container and day."""
    found = reader.frame(
        "fct_workload_measurements",
        """
        with scale as (
            select resource, time, max(replicas) as replicas from mart
            where replicas > 0 group by all
        )
        select resource, container, day,
            min(cpu_request_cores / scale.replicas) as least_cpu,
            max(cpu_request_cores / scale.replicas) as most_cpu,
            min(memory_request_bytes / scale.replicas) / 1073741824 as least_memory,
            max(memory_request_bytes / scale.replicas) / 1073741824 as most_memory
        from mart join scale using (resource, time)
        where cpu_request_cores is not null group by all
        """,
        first=AS_OF - timedelta(days=27),
    )
    assert found is not None
    return found


def billed(folder: Path) -> dict[tuple[str, str, date], tuple[Decimal, Decimal]]:
    """(resource id, meter, day) -> quantity and effective cost of usage of the new days."""
    sums: dict[tuple[str, str, date], tuple[Decimal, Decimal]] = {}
    for period in sorted((folder / "exports").glob("*/billing_period=*")):
        known = {
            json.loads((one / "_delivery.json").read_text())["known_at"]: one
            for one in period.iterdir()
        }
        rows = duckdb.sql(
            f"""
            select ResourceId, SkuMeter, cast(ChargePeriodStart at time zone 'UTC' as date) as day,
                sum(ConsumedQuantity), sum(EffectiveCost)
            from read_parquet('{known[max(known)]}/*.parquet')
            where ChargeCategory = 'Usage' and ResourceId is not null and day > date '{LAST_BEFORE}'
            group by all
            """
        ).fetchall()
        for resource, meter, day, quantity, cost in rows:
            sums[(resource, meter, day)] = (quantity, cost)
    return sums


def test_the_demo_tells_whose_declared_values_changed(lived: Lived) -> None:
    """A merge that the world does not notice would leave every later test without meaning."""
    assert lived.advanced.code == 0, lived.advanced.err
    (told,) = lived.advanced.items
    assert told["as_of"] == AS_OF.isoformat()
    assert sorted(told["changed"]) == sorted(one["resource"] for one in lived.merged)


def test_measurements_follow_what_was_merged_and_nothing_else(lived: Lived) -> None:
    """If requests change where nothing was merged, or not where it was, no saving is real."""
    assert lived.run.code == 0, lived.run.err
    found = requests(lived.reader())
    moved = {
        (one["resource"], lived.containers[one["key"]], one["kind"].removeprefix("rightsize_")): one
        for one in lived.merged
    }
    assert found["resource"].nunique() > 40
    seen = set()
    for (resource, container), rows in found.groupby(["resource", "container"]):
        after = rows["day"] > LAST_BEFORE
        assert after.any()
        for what in ("cpu", "memory"):
            least, most = rows[f"least_{what}"], rows[f"most_{what}"]
            place = (str(resource), str(container), what)
            if place not in moved:
                assert least.min() == pytest.approx(most.max()), place
                continue
            old, new = sizes(moved[place]["title"])
            for size, chosen in ((old, ~after), (new, after)):
                assert least[chosen].min() == pytest.approx(float(size))
                assert most[chosen].max() == pytest.approx(float(size))
            seen.add(place)
    assert seen == set(moved)


def test_the_bill_falls_by_what_was_promised(lived: Lived) -> None:
    """A saving that the bill does not show was never made."""
    for pull in lived.merged:
        meter = METERS[pull["kind"]]
        frame = lived.reader().frame(
            "fct_costs_daily",
            f"""
            select charge_date as day, sum(consumed_quantity) as quantity,
                sum(effective_cost) as cost
            from mart where resource = '{pull["resource"]}' and sku_meter = '{meter}'
                and charge_category = 'Usage'
                and charge_date > date '{LAST_BEFORE - timedelta(days=DAYS)}'
            group by all order by all
            """,
        )
        assert frame is not None
        before, after = (
            frame.loc[frame["day"] <= LAST_BEFORE],
            frame.loc[frame["day"] > LAST_BEFORE],
        )
        assert (len(before), len(after)) == (DAYS, DAYS)
        old, new = sizes(pull["title"])
        quantities = (before["quantity"].median(), after["quantity"].median())
        assert float(quantities[1] / quantities[0]) == pytest.approx(float(new / old), rel=0.001)
        saved = float((before["cost"].sum() - after["cost"].sum()) / DAYS / 24) * HOURS_PER_MONTH
        promised = pull["saving_per_month"]
        assert float(promised["low"]) <= saved <= float(promised["high"])


def test_no_other_resource_is_billed_differently(lived: Lived) -> None:
    """An effect that leaks to others would be counted as a saving that nobody made."""
    with_merges, without = billed(lived.folder), billed(lived.untouched)
    assert with_merges.keys() == without.keys()
    assert len(with_merges) > 1000
    differing = {key[:2] for key, value in with_merges.items() if value != without[key]}
    expected = set()
    for one in lived.merged:
        kind, namespace, name = one["resource"].split("/")
        expected.add((f"{namespace}/{kind.lower()}/{name}", METERS[one["kind"]]))
    assert {("/".join(name.split("/")[-3:]), meter) for name, meter in differing} == expected


def test_the_next_run_leaves_settled_things_settled(lived: Lived) -> None:
    """A rejected change that comes back, or a good pull request that is closed, ends all trust."""
    document = lived.run.json
    assert document["as_of"] == AS_OF.isoformat()
    pulls = {one["number"]: one for one in finops(lived.folder, "prs", "--json").items}
    for one in lived.merged:
        assert pulls[one["number"]]["state"] == "merged"
    assert pulls[lived.rejected["number"]]["state"] == "rejected"
    proposals = {one["key"] for one in finops(lived.folder, "proposals", "--json").items}
    opened = [one for one in pulls.values() if one["state"] == "open"]
    assert document["unchanged"] + document["updated"] + document["opened"] == len(opened)
    assert all(one["key"] in proposals for one in opened)
    for one in pulls.values():
        if one["state"] == "superseded":
            assert one["key"] not in proposals
    # a merged value may be cut further, but no settled change is proposed again
    settled = {one["fingerprint"] for one in (*lived.merged, lived.rejected)}
    assert not settled & {one["fingerprint"] for one in opened}
    assert document["unchanged"] >= 4
    main = git(lived.folder / "gitops.git", "log", "--format=%s", "--merges", "main").splitlines()
    assert len(main) == 2
