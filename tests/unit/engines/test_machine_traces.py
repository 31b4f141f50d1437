"""Real machines' CPU, sized by the first two thirds of their day and held against the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.engines.optimisation.inputs import SizingConfig
from tests.unit.engines.estates import AS_OF, GIB
from tests.unit.engines.machine_estates import judged, machine, type_prices, unit_prices

TRACES = Path(__file__).resolve().parents[4] / "shared/data/telemetry/planetlab_usage.parquet"
SIZES = {"m5.large": "0.1", "m5.xlarge": "0.2", "m5.2xlarge": "0.4"}
MACHINES, SEEN, DAY = 40, 192, 288


@pytest.mark.skipif(not TRACES.is_file(), reason="../shared/data is not on this machine")
@pytest.mark.parametrize("environment", ["production", "dev"])
def test_sizes_of_real_machines_are_exceeded_no_more_than_they_say(environment: str) -> None:
    """Percent of PlanetLab's machines, taken as of 8 vCPUs and each sample as an hour: sized by 192
    of them, and the next 96 are what came.
    """
    traces = pd.read_parquet(TRACES).sort_values(["workload", "time"])
    names = pd.unique(traces["workload"])
    chosen = np.random.default_rng(1).choice(names, MACHINES, replace=False)
    series = {
        name: group["demand"].to_numpy(dtype=float)
        for name, group in traces.loc[traces["workload"].isin(chosen)].groupby("workload")
        if len(group) == DAY
    }
    at = pd.date_range(end=pd.Timestamp(AS_OF, tz="UTC") + pd.Timedelta(hours=23),
                       periods=SEEN, freq="h")  # fmt: skip
    measured = pd.concat(
        pd.DataFrame(
            {
                "resource": f"aws_instance/traces/{name}", "time": at, "interval_seconds": 3600,
                "cpu_percent": demand[:SEEN], "memory_used_bytes": GIB,
                "network_bytes_per_second": 1e6, "disk_bytes_per_second": 1e6,
            }
        )
        for name, demand in series.items()
    )  # fmt: skip
    result = judged(
        [
            machine(f"aws_instance/traces/{name}", "m5.2xlarge", environment=environment)
            for name in series
        ],
        measured,
        type_prices(SIZES),
        pd.concat(unit_prices(resource=f"aws_instance/traces/{name}") for name in series),
        config=SizingConfig(history_days=8),
    )
    cuts = [f for f in result.findings if f.kind is FindingKind.RIGHTSIZE_MACHINE]
    came = np.array(
        [
            (series[f.resource.removeprefix("aws_instance/traces/")][SEEN:] * 8 / 100
             > f.evidence.figures["proposed_vcpus"]).mean()
            for f in cuts
        ]
    )  # fmt: skip
    stated = np.array([f.risk for f in cuts])

    assert len(cuts) >= 0.3 * len(series)
    assert came.mean() <= stated.mean()
    assert (came > stated).mean() <= 0.05
