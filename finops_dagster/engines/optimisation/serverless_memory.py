"""Memory of serverless functions: cost and latency both, from durations that were really seen.

A function's share of a CPU goes with its memory (1,769 MB are one vCPU:
https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html), so less memory is slower
where the work waits for the CPU, and then no cheaper. Provisioned concurrency is judged elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import pandas as pd
import yaml

from finops_dagster.domain.decisions import Abstained, Finding, FindingKind
from finops_dagster.domain.money import NO_CARBON, MoneyRange, to_decimal
from finops_dagster.engines.optimisation.functions import (
    DeclaredFunction,
    FunctionUse,
    function_uses,
)
from finops_dagster.engines.optimisation.ground import Declared, Ground
from finops_dagster.engines.optimisation.inputs import FindResult, take
from finops_dagster.engines.optimisation.prices import times
from finops_dagster.engines.optimisation.profiles import wilson_upper
from finops_dagster.engines.optimisation.rules import RULES, tier_of

COMPUTE = "serverless_compute"
LEAST_MB = 128
STEP_MB = 64
"""AWS takes any number of MB from 128 to 10,240; its console and power tuning step by 64."""
MAX_SLOWER = 0.05
"""The 95th percentile of the duration may grow by so much."""
MIN_SAVING_SHARE = 0.1
"""Less is within the error of a curve through a few sizes."""
MIN_DAYS_PER_SIZE = 2
"""Days with invocations that a size counts from: one alone may be a test or an odd day."""
HALF = 0.5
"""Of one size alone, memory of which less than half is ever used is worth a trial."""


@dataclass(frozen=True)
class Curve:
    """Duration in ms at a memory in MB: fixed + per_mb / memory, both at least nothing.

    The form that AWS Lambda Power Tuning's measurements show: what waits for others is fixed, what
    waits for the CPU goes with one over memory.
    """

    fixed: float
    per_mb: float
    error: float
    """Relative standard error of its points about it."""

    def at(self, memory: float) -> float:
        """Duration at `memory` MB."""
        return self.fixed + self.per_mb / memory

    def cost(self, memory: float) -> float:
        """Memory times duration: what is billed, but for its price."""
        return memory * self.at(memory)


def serverless_memory(
    ground: Ground,
    measurements: pd.DataFrame,
    declared: Mapping[str, DeclaredFunction],
    max_memory_mb: Callable[[str], float | None] = lambda _: None,
    max_slower: float = MAX_SLOWER,
) -> FindResult:
    """SERVERLESS_MEMORY of functions that are given more memory than cost and latency ask for.

    `ground.prices` has the meter COMPUTE. `max_memory_mb`: environment -> most that policy allows.
    """
    findings: list[Finding] = []
    abstained: list[Abstained] = []
    for use in function_uses(ground, measurements):
        limit = max_memory_mb(ground.environment(use.resource))
        known = declared.get(use.resource, DeclaredFunction())
        judged = _judged(ground, use, known.memory, limit, max_slower)
        take(judged, findings, abstained)
    return FindResult(findings=findings, abstained=abstained)


def _judged(
    ground: Ground,
    use: FunctionUse,
    value: Declared | None,
    limit: float | None,
    max_slower: float,
) -> Finding | Abstained | None:
    sizes = use.window["memory_mb"].dropna()
    if not len(sizes) or not use.window["invocations"].sum() > 0:
        return None
    now = float(sizes.iloc[-1])
    # of the whole history: a leak or a month's end needs its room too
    used = float(use.history["memory_used_mb_max"].max())
    tier = RULES[tier_of(ground.environment(use.resource))]
    if not np.isfinite(used):
        reason = "what memory its invocations use is not measured"
        return Abstained(subject=use.resource, reason=reason)
    floor = _up(max(LEAST_MB, used * tier.memory_headroom))
    if floor >= now:
        return None
    why = _why_not(ground, use, now, value)
    curves = _curves(use.history)
    if curves is None:
        if limit is not None and floor > limit:
            reason = f"policy allows {limit:.0f} MB, and its invocations need {floor}"
            return Abstained(subject=use.resource, reason=reason)
        return _trial(ground, use, now, used, floor, why)
    means, late, smallest = curves
    longest = late.at(now) * (1 + max_slower)
    # where latency would be missed below it; without a part that waits for the CPU, nowhere
    slow = late.per_mb / (longest - late.fixed) if longest > late.fixed else math.inf
    size = max(floor, _up(smallest), _up(slow))
    if limit is not None and size > limit:
        if now <= limit:
            return None
        reason = f"policy allows {limit:.0f} MB, and it needs {size} to be as fast and to fit"
        return Abstained(subject=use.resource, reason=reason)
    share = 1 - means.cost(size) / means.cost(now) if size < now else 0.0
    if share < MIN_SAVING_SHARE:
        return None
    if why:
        reason = f"{size} of {now:.0f} MB would do, but {why}"
        return Abstained(subject=use.resource, reason=reason)
    return _finding(
        ground,
        use,
        value=value,
        proposed=str(size),
        saving=_widened(ground, use.resource, share, means),
        figures={
            "memory_mb": now,
            "memory_used_mb_max": used,
            "duration_p95_ms": late.at(now),
            "duration_p95_ms_after": late.at(size),
            "cost_after_share": 1 - share,
        },
        reason=f"It uses at most {used:.0f} of {now:.0f} MB; at {size} MB, by its durations at the "
        f"sizes it had, 95 % of invocations take up to {late.at(size):.3g} ms in place of "
        f"{late.at(now):.3g}, for {1 - share:.0%} of the cost.",
        wrong_if="its work changed between the times it had those sizes",
    )


def _up(memory: float) -> int:
    """The next step of memory."""
    return math.ceil(round(memory / STEP_MB, 6)) * STEP_MB if math.isfinite(memory) else 1 << 30


def _why_not(ground: Ground, use: FunctionUse, now: float, value: Declared | None) -> str:
    needed = ground.config.min_history_days
    if use.days < needed:
        return f"measured for {use.days:.1f} days only, {needed} are needed"
    if value is not None and value.amount is not None and float(value.amount) != now:
        return f"declared are {value.text} MB and {now:.0f} run: they are not yet the same"
    return ground.prices.why_not(use.resource, COMPUTE)


def _curves(history: pd.DataFrame) -> tuple[Curve, Curve, float] | None:
    """Curves of the mean and the 95th percentile, and the smallest size seen.

    One point is a day at a size, weighed by its invocations; None with fewer than two sizes.
    """
    columns = ["memory_mb", "invocations", "duration_ms_mean", "duration_ms_p95"]
    rows = history[columns].dropna()
    rows = rows.loc[(rows["invocations"] > 0) & (rows["memory_mb"] > 0)]
    rows = rows.assign(
        day=pd.DatetimeIndex(rows.index).floor("D"),
        mean=rows["duration_ms_mean"] * rows["invocations"],
        late=rows["duration_ms_p95"] * rows["invocations"],
    )
    points = rows.groupby(["memory_mb", "day"])[["invocations", "mean", "late"]].sum()
    points = points.reset_index()
    days = points.groupby("memory_mb")["day"].transform("size")
    points = points.loc[days >= MIN_DAYS_PER_SIZE]
    if points["memory_mb"].nunique() < 2:
        return None
    weights = points["invocations"].to_numpy(dtype=float)
    memory = points["memory_mb"].to_numpy(dtype=float)
    means, late = (
        _fitted(memory, points[name].to_numpy(dtype=float) / weights, weights)
        for name in ("mean", "late")
    )
    return means, late, float(memory.min())


def _fitted(memory: np.ndarray, duration: np.ndarray, weights: np.ndarray) -> Curve:
    """Least squares, weighted, with both parts at least nothing."""
    from scipy.optimize import nnls

    root = np.sqrt(weights / weights.sum())
    design = np.column_stack([np.ones_like(memory), 1 / memory]) * root[:, None]
    (fixed, per_mb), _ = nnls(design, duration * root)
    curve = Curve(float(fixed), float(per_mb), 0.0)
    fitted = np.array([curve.at(m) for m in memory])
    free = max(1, memory.size - 2)
    spread = math.sqrt(float((((duration - fitted) / fitted) ** 2).sum()) / free)
    return Curve(curve.fixed, curve.per_mb, spread / math.sqrt(memory.size))


def _widened(ground: Ground, resource: str, share: float, means: Curve) -> MoneyRange:
    """The saving, with the error of the curve beside the spread of the cost."""
    cost = ground.prices.cost_per_month(resource, (COMPUTE,))
    assert cost is not None, "why_not was asked"
    saving = times(cost, share)
    # both ends of the ratio have the curve's error
    error = to_decimal(1.96 * math.sqrt(2) * means.error * (1 - share)) * cost.mid
    half = (((saving.high - saving.low) / 2) ** 2 + error**2).sqrt()
    return MoneyRange(
        low=saving.mid - half, mid=saving.mid, high=saving.mid + half, currency=cost.currency
    )


def _trial(
    ground: Ground, use: FunctionUse, now: float, used: float, floor: int, why: str
) -> Finding | Abstained | None:
    """Of one size alone nothing is known of any other: what fits is told, and saves maybe nothing.

    Where all of its work waits for the CPU, half the memory takes twice as long at the same cost.
    """
    if floor > HALF * now:
        return None
    if why:
        reason = f"uses at most {used:.0f} of {now:.0f} MB, but {why}"
        return Abstained(subject=use.resource, reason=reason)
    cost = ground.prices.cost_per_month(use.resource, (COMPUTE,))
    assert cost is not None, "why_not was asked"
    most = max(Decimal(0), times(cost, 1 - floor / now).mid)
    finding = _finding(
        ground,
        use,
        value=None,
        proposed="",
        saving=MoneyRange(low=Decimal(0), mid=Decimal(0), high=most, currency=cost.currency),
        figures={"memory_mb": now, "memory_used_mb_max": used, "memory_mb_that_fits": float(floor)},
        reason=f"It uses at most {used:.0f} of {now:.0f} MB, and its duration is known at this one "
        f"size alone: what less would cost and take, a trial at {floor} MB tells.",
        wrong_if="its work waits for the CPU: then it takes longer and costs the same",
    )
    text = str(yaml.safe_dump({"memorySize": floor}, sort_keys=False))
    return finding.model_copy(update={"suggestion": text})


def _finding(
    ground: Ground,
    use: FunctionUse,
    *,
    value: Declared | None,
    proposed: str,
    saving: MoneyRange,
    figures: dict[str, float],
    reason: str,
    wrong_if: str,
) -> Finding:
    finding = ground.finding(
        FindingKind.SERVERLESS_MEMORY,
        use.resource,
        value=value,
        proposed=proposed,
        saving=saving,
        carbon=NO_CARBON,
        risk=wilson_upper(0.0, use.hours),
        confidence=use.coverage,
        samples=len(use.window),
        figures=figures,
        reason=reason,
        rule="serverless memory rule",
    )
    return finding.model_copy(update={"wrong_if": wrong_if})
