"""Measurements, carbon, predictions and labels: complete, plausible, and the same by any route."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq

from finops_dagster.demo import predictions
from finops_dagster.demo.catalogue import Layout
from finops_dagster.demo.noise import normal, smooth, stream, uniform
from finops_dagster.demo.plan import build
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.demo.telemetry import write_telemetry
from finops_dagster.demo.tokens import LANGUAGE_MODELS
from finops_dagster.domain.schemas import (
    BUSINESS_METRICS,
    INTENSITIES,
    LABELS,
    MEASUREMENTS,
    METRICS,
    MODEL_VERSIONS,
    PREDICTIONS,
    RUNS,
    TOKEN_USAGE,
)

from .conftest import DAYS, SEED

_PROVENANCE = {"source", "delivery_id", "known_at"}


def _day(estate: Path, table: str, day: date) -> Path:
    return estate / table / f"day={day.isoformat()}" / "part-0.parquet"


def test_every_day_is_there_once_with_the_columns_agreed(estate: Path) -> None:
    """A missing day or a renamed column would starve every engine downstream."""
    days = {AS_OF - timedelta(days=n) for n in range(DAYS)}
    for folder, schema in (
        ("telemetry", MEASUREMENTS),
        ("carbon", INTENSITIES),
        ("predictions", PREDICTIONS),
        ("labels", LABELS),
        ("business", BUSINESS_METRICS),
        ("runs", RUNS),
        ("model_versions", MODEL_VERSIONS),
        ("token_usage", TOKEN_USAGE),
    ):
        found = {date.fromisoformat(p.name[4:]) for p in (estate / folder).iterdir()}
        late = {"labels": predictions.LABEL_DELAY_DAYS}.get(folder, 0)
        assert found == {d for d in days if d > AS_OF - timedelta(days=DAYS - late)}
        names = set(pq.read_schema(_day(estate, folder, AS_OF)).names)
        required = {column.name for column in schema.columns if not column.nullable}
        assert required - _PROVENANCE <= names <= set(schema.names) - _PROVENANCE
        sidecar = json.loads((estate / folder / f"day={AS_OF}" / "_delivery.json").read_text())
        assert sidecar["known_at"] == f"{AS_OF + timedelta(days=1)}T00:15:00Z"


def test_what_is_declared_is_billed_and_measured_and_nothing_else_is(estate: Path) -> None:
    """Bill, telemetry and Git must speak of the same workloads, but for the one in the shadow."""
    plan = build(SEED)
    declared = {w.resource for w in plan.workloads if w.spec.layout is not Layout.UNDECLARED}
    shadow = {w.resource for w in plan.workloads} - declared
    assert len(shadow) == 1
    billed = {
        f"{kind}/{namespace}/{name}"
        for kind, namespace, name in duckdb.execute(
            "select distinct Tags['k8s-workload-kind'], Tags['k8s-namespace'],"
            " Tags['k8s-workload-name'] from read_parquet(?)"
            " where Tags['k8s-workload-kind'] is not null",
            [str(estate / "exports/*/*/final/*.parquet")],
        ).fetchall()
    }
    on_nodes = {w.resource for w in plan.workloads if w.cluster.pools}
    assert len(on_nodes) == 5, "of these their machines are billed"
    assert billed == (declared | shadow | {c.resource for c in plan.claims}) - on_nodes
    measured = {
        f"{kind}/{namespace}/{name}"
        for kind, namespace, name in duckdb.execute(
            "select distinct kind, namespace, name from read_parquet(?) where kind != 'Node'",
            [str(_day(estate, "telemetry", AS_OF))],
        ).fetchall()
    }
    mounted = {c.resource for c in plan.claims if c.use != "unmounted"}
    assert measured == declared | shadow | mounted


def test_measurements_are_plausible(estate: Path) -> None:
    """Negative use, unknown metrics or use above a limit would teach engines nonsense."""
    connection = duckdb.connect()
    connection.execute(
        "create table m as select * from read_parquet(?)", [str(_day(estate, "telemetry", AS_OF))]
    )
    metrics = {row[0] for row in connection.execute("select distinct metric from m").fetchall()}
    assert metrics <= set(METRICS)
    assert len(metrics) == 21
    assert connection.execute("select min(value) >= 0 from m").fetchone() == (True,)
    above = connection.execute(
        """
        select count(*)
        from m as used join m as allowed using (time, kind, namespace, name, container)
        where used.metric = 'container_memory_working_set_bytes'
            and allowed.metric = 'kube_pod_container_resource_limits_memory'
            and used.value > allowed.value
        """
    ).fetchone()
    assert above == (0,)
    shares = connection.execute(
        "select max(value) <= 100 from m where metric = 'DCGM_FI_DEV_GPU_UTIL'"
    ).fetchone()
    assert shares == (True,)


def test_a_day_does_not_depend_on_how_it_was_reached(estate: Path, tmp_path: Path) -> None:
    """Days lived one by one must be the days written at once, or no replay could be trusted."""
    day = AS_OF - timedelta(days=2)
    write_telemetry(tmp_path, build(SEED), {}, {}, day, day, 5)
    assert _day(tmp_path, "telemetry", day).read_bytes() == (
        _day(estate, "telemetry", day).read_bytes()
    )


def test_each_label_has_its_prediction(estate: Path) -> None:
    """Labels that join nothing would leave fairness without truth."""
    orphans = duckdb.execute(
        "select count(*) from read_parquet(?) where prediction_id not in"
        " (select prediction_id from read_parquet(?))",
        [str(estate / "labels/*/*.parquet"), str(estate / "predictions/*/*.parquet")],
    ).fetchone()
    assert orphans == (0,)


def test_the_biased_model_treats_one_group_worse_since_its_release(estate: Path) -> None:
    """A bias that is in the truth but not in the log could not be found by anybody."""
    rates = dict(
        duckdb.execute(
            "select (model_version = '2.1.0', groups['sex']), avg(prediction) from read_parquet(?)"
            " where model = 'credit-risk' group by 1",
            [str(estate / "predictions/*/*.parquet")],
        ).fetchall()
    )
    before = rates[(False, "male")] - rates[(False, "female")]
    after = rates[(True, "male")] - rates[(True, "female")]
    assert abs(before) < 0.06
    assert after > 0.15


def test_a_run_over_midnight_has_its_end_on_its_second_day(estate: Path) -> None:
    """An end that was not known when its day ended would let a past day know the future."""
    runs = str(estate / "runs/*/*.parquet")
    told = duckdb.execute(
        "select count(*) filter (status = 'running'), count(*) filter (status = 'running' and"
        " (ended_at is not null or cardinality(metrics) > 0)), count(*), count(distinct run_id),"
        " count(*) filter (namespace is null) from read_parquet(?)",
        [runs],
    ).fetchone()
    assert told is not None
    running, foreseen, rows, once, nowhere = told
    assert running >= DAYS - 1 and foreseen == 0
    # the newest night goes on
    assert rows - once == running - 1
    assert 0 < nowhere < once / 2
    made = duckdb.execute(
        "select count(*), count(*) filter (run_id not in (select run_id from read_parquet($runs)"
        " where status = 'finished')) from read_parquet($made)",
        {"runs": runs, "made": str(estate / "model_versions/*/*.parquet")},
    ).fetchone()
    assert made is not None
    assert made[0] > DAYS / 3 and made[1] == 0


def test_tokens_are_those_that_are_billed_but_for_a_few(estate: Path) -> None:
    """Tokens and bill that do not meet would hide both a wrong price and who never logs."""
    logged = {
        (provider, day, kind): tokens
        for provider, day, *counts in duckdb.execute(
            "select provider, cast(time as date), sum(input_tokens - cached_input_tokens),"
            " sum(cached_input_tokens), sum(output_tokens) from read_parquet(?) group by all",
            [str(estate / "token_usage/*/*.parquet")],
        ).fetchall()
        for kind, tokens in zip(("input", "cached_input", "output"), counts, strict=True)
    }
    billed = {
        (meter, day): quantity * 1_000_000
        for meter, day, quantity in duckdb.execute(
            "select SkuId, cast(ChargePeriodStart as date), max(ConsumedQuantity)"
            " from read_parquet(?) where ConsumedUnit = '1M Tokens' and ChargeClass is null"
            " group by all",
            [str(estate / "exports/*/*/*/*.parquet")],
        ).fetchall()
    }
    compared = 0
    for model in LANGUAGE_MODELS:
        for kind, meter in model.meters.items():
            for (sku, day), tokens in billed.items():
                if sku != f"SKU-{meter}":
                    continue
                share = float(logged[model.provider, day, kind] / tokens)
                whole = sum(asker.share for asker in model.askers)
                assert whole - 0.001 < share <= whole
                compared += 1
    assert compared > 100


def test_noise_is_a_function_of_seed_name_and_index() -> None:
    """Generators with a state would make a day depend on the days drawn before it."""
    key = stream(1, "a")
    index = np.arange(100_000, dtype=np.int64)
    whole = uniform(key, index)
    assert np.array_equal(whole[500:600], uniform(key, index[500:600]))
    assert not np.array_equal(whole, uniform(stream(2, "a"), index))
    assert abs(whole.mean() - 0.5) < 0.005
    assert whole.min() >= 0.0 and whole.max() < 1.0
    drawn = normal(key, index)
    assert abs(drawn.mean()) < 0.02 and abs(drawn.std() - 1.0) < 0.02
    assert np.array_equal(smooth(key, index, 60)[777:900], smooth(key, index[777:900], 60))
