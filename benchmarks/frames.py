"""A company as the demo's, as frames that engines are given: no files, no dbt, no orchestrator.

What is measured, billed and declared is made by the demo's own generators; columns are those of the
marts, named by the dbt project itself.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path
from typing import Any, cast

import jinja2
import numpy as np
import pandas as pd

sys.path.insert(0, str(Path(__file__).parent))  # not there where a test runs this file
from cost_forecast import Books

from finops_dagster.defs.insight import running
from finops_dagster.demo import plan as plans
from finops_dagster.demo import repository
from finops_dagster.demo.demand import Series, workload_series
from finops_dagster.demo.seasons import AS_OF, minutes_of
from finops_dagster.demo.truth import build_truth
from finops_dagster.demo.volumes import claim_series
from finops_dagster.desired_state import RepositoryIndex, open_repository
from finops_dagster.desired_state.history import commit_before
from finops_dagster.domain.decisions import Proposal
from finops_dagster.domain.periods import day_start
from finops_dagster.engines.optimisation import (
    Context,
    FindResult,
    SizingConfig,
    declared_scaling,
    declared_values,
    find,
    monthly_costs,
    propose,
    relations,
    unit_prices,
)
from finops_dagster.settings import LimitSettings
from finops_dagster.storage.publication import PublishedReader

METRICS = Path(__file__).parents[1] / "dbt_project" / "macros" / "values" / "metrics.sql"
_GRAIN = ["cluster", "namespace", "kind", "name", "container"]
PEAK_DAYS = 76
WINDOW_DAYS = 14
FINE, COARSE = 5, 60
"""Minutes between measurements: of the evidence window, and of the two months before it."""


@cache
def measured_columns() -> dict[str, str]:
    """Exporter's metric -> column of fct_workload_measurements, as the dbt project names them."""
    told: list[dict[str, Any]] = []
    template = jinja2.Environment(extensions=["jinja2.ext.do"]).from_string(METRICS.read_text())
    template.make_module({"return": lambda value: told.append(value) or ""}).measured_columns()  # type: ignore[attr-defined,func-returns-value]
    return {
        metric: column
        for column, metrics in told[0].items()
        for metric in ([metrics] if isinstance(metrics, str) else metrics)
    }


def measured(series: Iterable[Series], minutes: np.ndarray, step: int) -> pd.DataFrame:
    """Rows as fct_workload_measurements has them: one a container and time, NaN where unknown."""
    columns = measured_columns()
    clock = pd.to_datetime(np.asarray(minutes) * 60, unit="s", utc=True)
    by_container: dict[tuple[str, ...], dict[str, np.ndarray]] = {}
    for one in series:
        if one.metric in columns:
            key = (one.cluster, one.namespace, one.kind, one.name, one.container)
            by_container.setdefault(key, {})[columns[one.metric]] = one.values
    names = sorted(set(columns.values()))
    frames = []
    for grain, values in by_container.items():
        frame = pd.DataFrame({name: values.get(name, np.nan) for name in names}, index=clock)
        frame = frame.dropna(how="all")
        frames.append(frame.assign(**dict(zip(_GRAIN, grain, strict=True))))
    rows = pd.concat(frames).rename_axis("time").reset_index()
    rows["resource"] = rows["kind"] + "/" + rows["namespace"] + "/" + rows["name"]
    return rows.assign(interval_seconds=step * 60, day=rows["time"].dt.date)


def utilisation(rows: pd.DataFrame) -> pd.DataFrame:
    """What of fct_workload_utilisation_daily says how high days before the window were."""
    grouped = rows.groupby(["day", "resource", "container"])
    out = pd.DataFrame(
        {
            "cpu_cores_p95": grouped["cpu_cores"].quantile(0.95),
            "memory_bytes_max": grouped["memory_working_set_bytes"].max(),
        }
    )
    return out.reset_index()


class Company:
    """One seed: what is known of it on any day of the last `days`."""

    def __init__(self, seed: int, days: int) -> None:
        self.seed = seed
        self.plan = plans.build(seed)
        self.books = Books(seed, days)
        self._folder = tempfile.TemporaryDirectory()
        self._repository = Path(self._folder.name) / "gitops.git"
        repository.write_repository(self._repository, self.plan)
        self._indexes: dict[str, RepositoryIndex] = {}

    def index(self, as_of: date) -> RepositoryIndex:
        """What its repository declared at the end of `as_of`."""
        commit = commit_before(self._repository, "main", day_start(as_of + timedelta(days=1)))
        assert commit is not None  # the first is older than any bill
        if commit not in self._indexes:
            earlier = next(reversed(self._indexes.values()), None)
            self._indexes[commit] = open_repository(self._repository, commit, earlier=earlier)
        return self._indexes[commit]

    def measured(self, first: date, last: date, step: int) -> pd.DataFrame:
        """What was measured from `first` to `last`."""
        minutes = minutes_of(first, last, step)
        series: list[Series] = []
        for workload in self.plan.workloads:
            series += workload_series(self.seed, workload, {}, minutes, step)
        for claim in self.plan.claims:
            series += claim_series(self.seed, claim, {}, minutes)
        return measured(series, minutes, step)

    def decided(self, as_of: date) -> tuple[FindResult, list[Proposal]]:
        """Findings and proposals of a day, from what was known on it, by the default settings."""
        first = as_of - timedelta(days=WINDOW_DAYS - 1)
        before = self.measured(as_of - timedelta(days=PEAK_DAYS), first - timedelta(days=1), COARSE)
        found = self.found_in(self.measured(first, as_of, FINE), utilisation(before), as_of)
        limits = LimitSettings()
        proposals, _ = propose(
            found.findings,
            reconstructed=False,
            publication_id="",
            min_saving=limits.min_saving_per_month,
            min_confidence=limits.min_confidence,
            as_of=as_of,
            costs=monthly_costs(self.prices(as_of)),
            relations=relations(self.index(as_of).resources()),
        )
        return found, proposals

    def prices(self, as_of: date) -> pd.DataFrame:
        """Net unit prices paid in the window up to a day."""
        costs = running.workload_costs(cast(PublishedReader, self.books), as_of, WINDOW_DAYS)
        assert costs is not None
        return unit_prices(costs, as_of, WINDOW_DAYS)

    def found_in(self, rows: pd.DataFrame, daily: pd.DataFrame, as_of: date) -> FindResult:
        """Findings of a day: `rows` of its window, `daily` of the two months before."""
        owners = running.owners(cast(PublishedReader, self.books), as_of)
        assert owners is not None
        index = self.index(as_of)
        resources = index.resources()
        values, managed = declared_values(resources, index.locations())
        return find(
            rows,
            self.prices(as_of),
            Context(
                values=values,
                resources=frozenset(resources),
                managed=managed,
                undeclared=frozenset(rows["resource"]) - frozenset(resources),
                unsure={},
                owners=owners,
                intensity=pd.DataFrame(columns=["resource", "gco2e_per_kwh"]),
                scaling=declared_scaling(resources, index.locations()),
            ),
            as_of,
            SizingConfig(history_days=WINDOW_DAYS),
            daily=daily,
        )

    @cached_property
    def truth(self) -> list[dict[str, Any]]:
        """What is secretly true of it on the last day."""
        return build_truth(self.plan, {}, {}, {}, (), AS_OF - timedelta(days=WINDOW_DAYS), AS_OF)
