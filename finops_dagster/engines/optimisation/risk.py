"""Sizes chosen by risk: what a fleet teaches, and the capacity that a risk dial asks for.

How the risk is told from a history is in the modules of the model; prices are not known here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from finops_dagster.domain.decisions import Abstained
from finops_dagster.engines.known import Floats
from finops_dagster.engines.optimisation.demand import (
    cleaned,
    matrices,
    meter_step,
    quantiles,
    sorted_known,
    why_not,
)
from finops_dagster.engines.optimisation.recalibration import Recalibration, recalibration
from finops_dagster.engines.optimisation.risk_features import history
from finops_dagster.engines.optimisation.risk_model import (
    Curves,
    Trees,
    curves,
    learn,
    lessons,
    shares_over,
)
from finops_dagster.engines.optimisation.rules import RULES, Tier

MIN_WORKLOADS = 100
"""Fewer usable workloads teach too little: see docs/accuracy.md."""
MAX_WORKLOADS = 6_000
"""More are not learnt from: time and memory grow with them, and what they teach does not."""
FOLDS = 3
"""Trees are learnt without each third in turn, so that all of it can judge them."""

DIALS = (1.15, 1.5, 2.4, 5.0, 9.0, 16.3, 31.0, 45.0, 85.0, 140.0)
"""Ten settings of the risk dial, from what saves most to what is most careful. A dial of 9 means:
one more percent of intervals over is worth 9 percent of the fleet's usual size. On real traces
the third, sixth and seventh save a little more than P95 x 1.15, P99.5 x 1.2 and max x 1.15."""
DIAL = {Tier.DEVELOPMENT: 2.4, Tier.STAGING: 9.0, Tier.PRODUCTION: 16.3}
"""Defaults: on real traces these save about what the quantile rule of the tier does."""
_OVERFLOW, _ANY = 10.0, 7.0
"""w, of demand unmet in percent of the fleet's unit, and a, of any breach. With the
prototype's 8 and 5 of a machine's points (2 and 20 here) loose sizes had the fewest breaches, but
left more demand unmet than a plain P95."""


@dataclass(frozen=True)
class Workload:
    """One workload's demand up to the moment of deciding, evenly spaced, gaps as NaN."""

    name: str
    demand: Floats
    """(time,), in any unit; all workloads of a fleet in the same one."""
    dial: float = DIAL[Tier.PRODUCTION]
    declared: float | None = None
    """What it has now, in the unit of demand; only the saving is told by it."""


@dataclass(frozen=True)
class Sizing:
    """A capacity and the risks stated with it."""

    name: str
    capacity: float
    """In the unit of demand."""
    saved_share: float | None
    """Of what is declared; negative where more is needed; None where nothing is declared."""
    over_risk: float | None
    """P that an interval's demand is above; None where no model could say. So the next two."""
    any_risk: float | None
    """P that any interval's is, over the horizon asked for."""
    overflow: float | None
    """Expected demand above, an interval, in the unit of demand."""
    rule: str
    """`risk model` or `quantile rule`."""
    why: str


@dataclass(frozen=True)
class FleetModel:
    """What a fleet's own past and later demand taught."""

    trees: tuple[Trees, ...]
    over: Recalibration
    any_over: Recalibration
    unit: float
    """Mean P95 of demand over the fleet, in demand's unit: what the dial prices risk in."""
    step: float
    """Of the meter, in demand's unit; 0 where it has none."""
    workloads: int

    def curves(self, past: Floats) -> Curves:
        """Recalibrated risks of `past` (workload, time)."""
        raw = curves(self.trees, history(past, self.unit), self.step)
        return raw.recalibrated(self.over, self.any_over)


def learn_fleet(
    names: Sequence[str], past: Sequence[Floats], later: Sequence[Floats], seed: int = 0
) -> FleetModel | Abstained:
    """A model of P(demand > c) and P(any demand > c) from what followed each workload's past.

    `past` and `later` are series as in `Workload`, of any length and interval. Three pairs of
    trees, each from two thirds of the workloads (by a hash of the name), and a correction of what
    they say of the third they did not see, at the very capacities that would have been chosen of
    it: who picks the best of many estimates picks the lucky ones. Unusable histories are left
    out; with fewer than MIN_WORKLOADS left it abstains.
    """
    kept = [
        (name, before, after)
        for name, before, after in zip(names, map(cleaned, past), map(_known, later), strict=True)
        if not why_not(before) and after.size
    ]
    if len(kept) < MIN_WORKLOADS:
        return Abstained(
            subject="fleet",
            reason=f"{len(kept)} workloads with enough history, {MIN_WORKLOADS} are needed to "
            "learn risk from",
        )
    kept = sorted(kept, key=lambda one: digest(one[0]))[:MAX_WORKLOADS]
    before, after = [one[1] for one in kept], [one[2] for one in kept]
    unit = float(np.mean([np.nanquantile(one, 0.95) for one in before])) or 1.0
    step = meter_step(before, unit)
    of = lessons(before, after, unit, step)
    fold = np.array([digest(one[0]) % FOLDS for one in kept])
    trees = tuple(learn(of, fold != k, seed + k) for k in range(FOLDS))
    over, any_over = _corrections(trees, fold, before, after, unit, step)
    return FleetModel(trees, over, any_over, unit, step, len(kept))


def usable(past: Floats, later: Floats) -> bool:
    """Whether what followed a past can be learnt from."""
    return not why_not(cleaned(past)) and bool(_known(later).size)


def _corrections(
    trees: Sequence[Trees],
    fold: np.ndarray,
    before: Sequence[Floats],
    after: Sequence[Floats],
    unit: float,
    step: float,
) -> tuple[Recalibration, Recalibration]:
    """Corrections of P and P(any) at the capacities chosen by each of DIALS, out of fold."""
    stated: list[Floats] = []
    seen: list[Floats] = []
    for k, one in enumerate(trees):
        own = np.flatnonzero(fold == k)
        for places, matrix in matrices([before[int(i)] for i in own]):
            said = curves([one], history(matrix, unit), step)
            at = np.stack([choose(said, np.full(len(matrix), dial), unit) for dial in DIALS], 1)
            picked = np.take_along_axis(said.capacity, at, axis=1)
            followed = [after[int(i)] for i in own[places]]
            share = np.stack([shares_over(f, c) for f, c in zip(followed, picked, strict=True)])
            stated.append(
                np.stack([np.take_along_axis(x, at, 1) for x in (said.over, said.any_over)], 2)
            )
            seen.append(np.stack([share, share > 0], axis=2))
    said_all, seen_all = np.concatenate(stated).reshape(-1, 2), np.concatenate(seen).reshape(-1, 2)
    return (
        recalibration(said_all[:, 0], seen_all[:, 0]),
        recalibration(said_all[:, 1], seen_all[:, 1]),
    )


def choose(of: Curves, dial: Floats, unit: float) -> np.ndarray:
    """Positions (n,) of the capacities with the least c + dial (100 P + w E) + a P(any).

    `dial` has one value a workload; c and E[overflow] count in percent of the fleet's unit. The
    same curves and a higher dial never give a lower capacity: what the dial weighs falls with c.
    """
    cost = 100 * of.capacity / unit + _ANY * of.any_over
    risk = 100 * of.over + _OVERFLOW * 100 * of.overflow / unit
    return np.asarray((cost + dial[:, None] * risk).argmin(axis=1))


def size_by_risk(
    model: FleetModel | Abstained, workloads: Sequence[Workload], horizons: float = 1.0
) -> list[Sizing | Abstained]:
    """A size of each workload in their order, or why there is none.

    Histories are best as long as the pasts that were learnt from: the maximum of a longer one is
    higher, and risks are told relative to it.

    `model`: what `learn_fleet` answered; where it abstained, sizes are those of the peers' quantile
    rule of the tier whose default dial is nearest, and say so. `horizons`: for how long any breach
    is asked about, in times of the later part that was learnt from; over more than one, breaches
    are taken as independent, which errs to the high side where they come in clusters.
    """
    out: list[Sizing | Abstained] = []
    places: list[int] = []
    series: list[Floats] = []
    for workload in workloads:
        demand = cleaned(workload.demand)
        why = _bad(workload) or why_not(demand)
        out.append(Abstained(subject=workload.name, reason=why))
        if not why:
            places.append(len(out) - 1)
            series.append(demand)
    for part, matrix in matrices(series) if series else ():
        own = [places[i] for i in part]
        asked = [workloads[place] for place in own]
        answers = (
            _by_quantile(model, asked, matrix)
            if isinstance(model, Abstained)
            else _by_model(model, asked, matrix, horizons)
        )
        for place, answer in zip(own, answers, strict=True):
            out[place] = answer
    return out


def _by_model(
    model: FleetModel, asked: Sequence[Workload], past: Floats, horizons: float
) -> list[Sizing]:
    of = model.curves(past)
    at = choose(of, np.array([one.dial for one in asked]), model.unit)[:, None]
    capacity, over, any_over, overflow = (
        np.take_along_axis(x, at, axis=1)[:, 0]
        for x in (of.capacity, of.over, of.any_over, of.overflow)
    )
    any_over = 1 - (1 - any_over) ** horizons
    why = f"learnt from what followed in {model.workloads} workloads, recalibrated on them"
    return [
        Sizing(
            name=one.name,
            capacity=float(capacity[i]),
            saved_share=_saved(one, float(capacity[i])),
            over_risk=float(over[i]),
            any_risk=float(any_over[i]),
            overflow=float(overflow[i]),
            rule="risk model",
            why=why,
        )
        for i, one in enumerate(asked)
    ]


def _by_quantile(model: Abstained, asked: Sequence[Workload], past: Floats) -> list[Sizing]:
    ordered, known = sorted_known(past)
    levels = {tier: (rule.cpu_quantile, rule.cpu_headroom) for tier, rule in RULES.items()}
    by_tier = {
        tier: quantiles(ordered, known, (level,))[:, 0] * headroom
        for tier, (level, headroom) in levels.items()
    }
    out = []
    for i, one in enumerate(asked):
        tier = tier_of_dial(one.dial)
        capacity = float(by_tier[tier][i])
        saved = _saved(one, capacity)
        why = f"{RULES[tier].name}, since {model.reason}"
        out.append(Sizing(one.name, capacity, saved, None, None, None, "quantile rule", why))
    return out


def tier_of_dial(dial: float) -> Tier:
    """The tier whose default is nearest to `dial`, by ratio."""
    return min(DIAL, key=lambda tier: abs(math.log(dial / DIAL[tier])))


def digest(name: str) -> int:
    """A number that is the same for a name on every machine and day."""
    return int(hashlib.sha256(name.encode()).hexdigest()[:15], 16)


def _known(later: Floats) -> Floats:
    series = cleaned(later)
    return np.asarray(series[np.isfinite(series)])


def _bad(workload: Workload) -> str:
    if not (math.isfinite(workload.dial) and workload.dial > 0):
        return f"a risk dial of {workload.dial:g} is not a positive number"
    declared = workload.declared
    if declared is not None and not (math.isfinite(declared) and declared > 0):
        return f"a declared capacity of {declared:g} is not a positive amount"
    return ""


def _saved(workload: Workload, capacity: float) -> float | None:
    return None if workload.declared is None else 1 - capacity / workload.declared
