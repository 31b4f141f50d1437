"""benchmarks/rightsizing.py reads what people have, counts right, and learns from others alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import rightsizing
from finops_dagster.engines.optimisation import risk_model

ROOT = Path(__file__).parents[3]
KEYS = {"benchmark", "machine", "inputs", "seconds", "peak_rss_bytes", "ours", "baselines",
        "floor", "ratio_to_floor", "pareto"}  # fmt: skip


def _usage(workloads: int, hours: int = 24, per_hour: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    times = pd.date_range("2026-01-01", periods=hours * per_hour, freq="15min", tz="UTC")
    return pd.concat(
        pd.DataFrame(
            {
                "workload": f"day/{i}",
                "time": times,
                "demand": rng.uniform(1, 9) * np.exp(rng.normal(0, 0.4, len(times))),
            }
        )
        for i in range(workloads)
    )


def test_shortage_is_counted_as_it_is() -> None:
    """By hand: of capacity 4 and 10 of 10, demand 5, 3 and 8, 10."""
    told = rightsizing.replay(np.array([4.0, 30.0]), np.array([[5.0, 3.0], [8.0, np.nan]]), 10.0)
    assert told["saved_pct"] == 30.0
    assert told["interval_breach_pct"] == pytest.approx(100 / 3, abs=1e-4)
    assert told["workload_breach_pct"] == 50.0
    assert told["unmet_pct"] == pytest.approx(100 / 16)


def test_front_and_dominance() -> None:
    """Equal on all four is no dominance; better on one and worse on none is."""

    def row(name: str, *values: float) -> dict[str, object]:
        return {"rule": name, **dict(zip(rightsizing.MEASURES, values, strict=True))}

    a, b = row("a", 50.0, 1.0, 9.0, 1.0), row("b", 50.0, 1.0, 9.0, 1.1)
    twin, c = row("twin", 50.0, 1.0, 9.0, 1.0), row("c", 60.0, 2.0, 20.0, 2.0)
    assert rightsizing.dominates(a, b) and not rightsizing.dominates(a, twin)
    assert rightsizing.pareto([a, b, twin, c]) == ["a", "twin", "c"]


def test_days_gaps_and_junk(tmp_path: Path) -> None:
    """Doubles, gaps, impossible numbers and lost columns neither crash nor shift a workload."""
    usage = _usage(3, hours=48)
    usage = usage.drop(index=[5, 6]).astype({"demand": object})
    usage = pd.concat([usage, usage.iloc[[0]].assign(demand=7.5)])
    junk = usage.iloc[:3].assign(workload="day/junk", demand=["x", -1, np.inf])
    lost = usage.iloc[:1].assign(time="not a time")
    path = tmp_path / "usage.csv"
    pd.concat([usage, junk, lost]).to_csv(path, index=False)
    days = rightsizing.days_of(rightsizing.read(path), train_hours=16)
    assert days.names == sorted(f"day/{i}{d}" for i in range(3) for d in ("", "#1"))
    assert days.past.shape == (6, 64) and days.future.shape == (6, 32)
    assert days.past[0, 0] == 7.5 and np.isnan(days.past[0, 5:7]).all()
    assert days.left_out == {"measured in 0 intervals, 16 are needed": 1}
    assert days.machine[0] == days.machine[1] != days.machine[2]
    pd.DataFrame({"workload": ["a"], "time": [0]}).to_csv(path, index=False)
    with pytest.raises(SystemExit, match="demand"):
        rightsizing.read(path)


def test_a_workload_is_scored_by_what_others_taught(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change one workload's later demand: its own size stays, whatever others' do."""
    monkeypatch.setattr(risk_model, "_TREES", 5)
    days = rightsizing.days_of(rightsizing.read_frame(_usage(150)), train_hours=16)
    ours = rightsizing.Ours(days)
    assert not ours.refusal
    before = ours.sizes(9.0)[0]
    days.future[7] *= 100
    after = rightsizing.Ours(days).sizes(9.0)[0]
    assert after[7] == before[7] and (after != before).any()


def test_the_whole_of_percent_and_cores() -> None:
    """Percent is of 100 and shares are of 1; cores are of the highest demand."""
    assert [rightsizing.usual_whole(top) for top in (0.9, 99.0, 3.5, 640.0)] == [1, 100, 3.5, 640]


def test_small_files_are_told_by_the_quantile_rule(tmp_path: Path) -> None:
    """The program as it is run, on a Parquet file with too few workloads to learn from."""
    path = tmp_path / "usage.parquet"
    _usage(12).to_parquet(path)
    run = subprocess.run(
        [sys.executable, "benchmarks/rightsizing.py", "--usage", str(path), "--train-hours", "16",
         "--json"], cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    answer = json.loads(run.stdout)
    assert set(answer) >= KEYS
    assert len(answer["ours"]["rows"]) == 10
    assert answer["ours"]["engine"].startswith("quantile rule, since")
    assert answer["inputs"]["workload_days_scored"] == 12
