"""What is read for placing movable work: its labels, its rows and no others, from small marts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any, cast

import duckdb
import pandas as pd

from finops_dagster.defs.insight.waste.placement import placement
from finops_dagster.domain.decisions import DeclaredResource, FindingKind
from finops_dagster.engines.optimisation import FindResult
from finops_dagster.engines.optimisation.placement_inputs import Declared
from finops_dagster.settings.placement import PlacementSettings
from tests.unit.engines import movable_work as small

SETTINGS = PlacementSettings.model_validate(
    {
        "regions": {"payments": ["dirty", "clean"]},
        "transfer_prices_per_gb": {"EUR": "0.02"},
    }
)


class Reader:
    """Marts in memory, asked as published ones are; remembers which were."""

    def __init__(self, marts: Mapping[str, pd.DataFrame]) -> None:
        self.marts = marts
        self.asked: list[str] = []

    def frame(
        self,
        name: str,
        query: str = "select * from mart",
        *,
        first: date | None = None,
        last: date | None = None,
        given: Mapping[str, Any] | None = None,
    ) -> pd.DataFrame | None:
        self.asked.append(name)
        if name not in self.marts:
            return None
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            connection.register("mart", self.marts[name])
            found = connection.execute(query, dict(given or {}))
            return found.to_arrow_table().to_pandas(date_as_object=True)


def published(**labels: str) -> dict[str, pd.DataFrame]:
    """The marts of one labelled job, in the columns that are read of them."""
    day = small.AS_OF - timedelta(days=1)
    rows = [
        {"day": day, "resource": small.JOB, "label": key, "label_value": value, "pod_hours": 1.0}
        for key, value in labels.items()
    ]
    columns = ["day", "resource", "label", "label_value", "pod_hours"]
    costs = small.costs().assign(team="payments", environment="production")
    there = costs.assign(resource=None, region_id="clean", sku_id="SKU-CLEAN")
    air = pd.concat([small.grid(), small.grid("clean", (), 20.0)]).assign(
        accounting="location", kind="average", basis="measured"
    )
    marginal = air.assign(kind="marginal", gco2e_per_kwh=1.0)
    yearly = air.assign(basis="yearly", region="clean", gco2e_per_kwh=1.0)
    skus = small.SKUS.assign(first_charged_on=small.FIRST)
    return {
        "fct_workload_labels_daily": pd.DataFrame(rows, columns=columns),
        "fct_workload_measurements": small.measured(),
        "fct_workload_carbon_daily": small.energy(),
        "fct_grid_intensity_hourly": pd.concat([marginal, yearly, air], ignore_index=True),
        "fct_costs_daily": pd.concat([costs, there], ignore_index=True),
        "dim_skus": skus,
    }


def declared(**labels: str) -> DeclaredResource:
    manifest = {"kind": "CronJob", "spec": {"schedule": "15 1 * * *"}}
    return DeclaredResource(
        resource=small.JOB,
        api_version="batch/v1",
        labels=labels,
        annotations={},
        file="job.yaml",
        document=0,
        manifest=json.dumps(manifest),
    )


def read(
    marts: Mapping[str, pd.DataFrame], resources: Mapping[str, DeclaredResource] | None = None
) -> tuple[FindResult, Reader]:
    index = None if resources is None else SimpleNamespace(resources=lambda: resources)
    settings = SimpleNamespace(placement=SETTINGS)
    estate = SimpleNamespace(settings=settings, index=lambda as_of: index)
    reader = Reader(marts)
    return placement(cast(Any, estate), cast(Any, reader), small.AS_OF), reader


def test_an_estate_without_labels_is_asked_for_labels_alone() -> None:
    """Reading a month of measurements of everything each day, for nothing, is hours of a year."""
    marts = published(finops_team="a")
    result, reader = read(marts, {small.JOB: declared(team="payments")})
    assert (result.findings, result.abstained) == ([], [])
    assert reader.asked == ["fct_workload_labels_daily"]
    nothing, _ = read({})
    assert (nothing.findings, nothing.abstained) == ([], [])


def test_labels_that_pods_had_and_that_are_declared_both_count() -> None:
    """Either is where a team writes it; what is declared is what will hold."""
    marts = published(finops_start_between="00-02", finops_movable="true")
    result, _ = read(marts, {small.JOB: declared(**{"finops/start-between": "00-06"})})
    assert {one.kind for one in result.findings} == {
        FindingKind.CARBON_HOURS,
        FindingKind.CARBON_REGION,
    }
    hours = next(one for one in result.findings if one.kind is FindingKind.CARBON_HOURS)
    assert (hours.current, hours.proposed) == ("15 1 * * *", "15 4 * * *")
    assert (hours.owner, hours.environment) == ("payments", "production")


def test_the_reader_hands_the_engine_what_its_own_tests_do() -> None:
    """Marginal or yearly intensity, or another's rows, would move work on wrong figures."""
    marts = published(finops_movable="true")
    result, _ = read(marts)
    (found,) = result.findings
    config = replace(small.CONFIG, regions={"payments": ("dirty", "clean")})
    same = small.judged(
        small.AWAY,
        small.place(declared=Declared()),
        config=config,
        priced=small.priced(dirty="1", clean="1"),
        intensity=pd.concat([small.grid(), small.grid("clean", (), 20.0)]),
    )
    (expected,) = same.findings
    assert found.carbon_kg_per_month == expected.carbon_kg_per_month
    assert found.saving_per_month == expected.saving_per_month
    assert found.reason == expected.reason


def test_work_in_two_regions_has_no_one_region_to_leave() -> None:
    """Half of it would be moved to where it is already."""
    marts = published(finops_movable="true")
    two = small.energy().assign(cluster="b", region="clean")
    marts["fct_workload_carbon_daily"] = pd.concat([small.energy(), two], ignore_index=True)
    result, _ = read(marts)
    assert [one.reason for one in result.abstained] == [
        "the one region that it runs in is not known"
    ]


def test_a_cluster_without_a_region_leaves_the_place_unknown() -> None:
    """The settings may name no region of a cluster: that is no crash, and no region either."""
    marts = published(finops_movable="true")
    lost = small.energy().assign(cluster="b", region=None)
    marts["fct_workload_carbon_daily"] = pd.concat([small.energy(), lost], ignore_index=True)
    result, _ = read(marts)
    assert [one.reason for one in result.abstained] == [
        "the one region that it runs in is not known"
    ]
