"""Finding waste in a publication, read part by part, and the benchmark that does it at scale."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from benchmarks import optimise
from finops_dagster.defs.insight import running
from finops_dagster.defs.insight.waste.workloads import part_reader
from finops_dagster.engines.optimisation import MEASURED, commitment_places, unit_prices
from finops_dagster.storage.publication import PublicationStore, PublishedReader

WORKLOADS, DAYS = 7, 14


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small publication of the benchmark's."""
    path = tmp_path_factory.mktemp("optimise")
    optimise.write(path, WORKLOADS, 1, DAYS)
    return path


@pytest.fixture(scope="module")
def reader(folder: Path) -> PublishedReader:
    store = PublicationStore(folder / "published")
    manifest = store.current()
    assert manifest is not None
    return store.reader(manifest)


def test_a_part_has_every_row_of_its_workloads_and_no_other(reader: PublishedReader) -> None:
    """A row too few is a peak that was not seen; one too many is another workload's."""
    rows = running.measured_rows(reader, optimise.AS_OF, DAYS)
    assert set(rows.values()) == {2 * DAYS * optimise.PER_DAY}
    names = sorted(rows)[1:5:2]
    part = part_reader(reader, optimise.AS_OF, DAYS)(names)
    found = part.measurements.groupby("resource", observed=True).size().to_dict()
    assert found == {name: rows[name] for name in names}
    assert set(part.measurements.columns) <= {*MEASURED, *running.GRAIN}
    assert set(part.prices["resource"]) == set(names)
    assert len(part.prices) == 2 * 2 * DAYS


def test_files_are_sorted_so_that_a_part_reads_a_few_row_groups(folder: Path) -> None:
    """Sorted by time, each part would read the whole estate."""
    mart = folder / "published/marts/fct_workload_measurements"
    (file,) = (mart / optimise.AS_OF.isoformat()).rglob("*.parquet")
    held = duckdb.read_parquet(str(file)).df()
    again = held.sort_values(
        list(held.columns[: list(held.columns).index("interval_seconds")]), kind="stable"
    )
    pd.testing.assert_frame_equal(held, again)
    model = Path(__file__).parents[3] / "dbt_project/models/marts/workloads"
    text = (model / "fct_workload_measurements.sql").read_text()
    order = [text.index(f"        {name},\n") for name in ("day", "resource", "container", "time")]
    assert order == sorted(order)


def test_the_benchmark_finds_what_the_product_finds(folder: Path) -> None:
    """A benchmark of something else measures nothing."""
    told = optimise.found(folder, WORKLOADS, 1, DAYS)
    assert sum(told["findings"].values()) > 0
    assert set(told["stages"]) == {"count", "peaks", "read", "learn", "judge"}
    assert optimise.floor(folder, WORKLOADS, 1, DAYS)["containers"] == WORKLOADS


def test_prices_of_a_part_know_the_commitments_of_the_whole(reader: PublishedReader) -> None:
    """What a part frees of a commitment may be used by workloads of another part."""
    costs = running.workload_costs(reader, optimise.AS_OF, DAYS)
    assert costs is not None
    names = sorted(costs["resource"].unique())
    half = costs["resource"].isin(names[::2]) & (costs["sku_meter"] == "vCPU-hours")
    costs.loc[half, "commitment_discount_status"] = "Used"
    costs.loc[half, "effective_cost"] = costs.loc[half, "effective_cost"] * 3 / 4
    use = _summed(costs)
    at_once = unit_prices(costs, optimise.AS_OF, DAYS)
    places = commitment_places(use)
    for name in names:
        own = unit_prices(costs[costs["resource"] == name], optimise.AS_OF, DAYS, places=places)
        alone = at_once[at_once["resource"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(own, alone)


def _summed(costs: pd.DataFrame) -> pd.DataFrame:
    """What `running.commitment_use` selects, of a frame."""

    class Frame:
        def frame(self, mart: str, query: str, **_: object) -> pd.DataFrame:
            connection = duckdb.connect()
            connection.register("mart", costs)
            found: pd.DataFrame = connection.execute(query).to_arrow_table().to_pandas()
            return found

    found = running.commitment_use(Frame(), optimise.AS_OF, DAYS)  # type: ignore[arg-type]
    assert found is not None
    return found
