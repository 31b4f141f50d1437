"""Whether a joule buys less quality than it did, why, and what is advised.

The figures are made in `quality`; what may be changed for it is a person's to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from finops_dagster.responsible_ai.energy.quality import draws, gain_per_answer
from finops_dagster.responsible_ai.energy.results import Advice, DayEnergy, EnergyAdvice
from finops_dagster.responsible_ai.results import Interval

FALLEN = 0.1
"""Share of quality per joule that may be lost before anything is advised; a choice: retraining and
moving cost work and energy of their own, which less than a tenth does not pay back."""
QUALITY_KEPT = 0.05
"""Share of quality that is hardly a change; a choice."""
PEER_FACTOR = 2.0
"""Energy per answer over the median of peers from which a model is too large for its task; a
choice: distilled and quantised models need half or less (Sanh et al. 2019: 40 % smaller, 60 %
faster, 97 % of quality)."""
MIN_PEERS = 2
IDLE_SHARE = 0.5
"""Share of idle GPU hours from which the accelerator is hardly used; a choice."""


def compare(
    before: Sequence[DayEnergy], now: Sequence[DayEnergy]
) -> tuple[Interval, Interval] | str:
    """Change of gains per kilojoule, now / before - 1, and of energy per answer; or why not.

    Intervals of the ratio by drawing whole days of either side anew.
    """
    first, second = draws(before), draws(now)
    if first is None or second is None:
        which = "days before" if first is None else "days judged"
        return f"too few answers of the {which} have both a label and their energy"
    (was, was_drawn), (is_, is_drawn) = first, second
    if was <= 0:
        return "before, its answers were no better than those of a predictor without inputs"
    # the same seed draws both sides: turned round, so that they are drawn apart
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = is_drawn[::-1] / was_drawn - 1
    ratio = ratio[np.isfinite(ratio)]
    value = is_ / was - 1
    low, high = (float(one) for one in np.quantile(ratio, (0.025, 0.975)))
    per_answer = [
        sum(row.energy_wh for row in rows) / sum(row.metered for row in rows)
        for rows in (before, now)
    ]
    return (
        Interval(value, min(low, value), max(high, value)),
        Interval(per_answer[1] / per_answer[0] - 1),
    )


def advise(
    before: Sequence[DayEnergy],
    now: Sequence[DayEnergy],
    *,
    compared: str,
    peers: Mapping[str, float],
    idle_share: float | None,
) -> tuple[Interval | None, EnergyAdvice | None, str]:
    """The change of quality per joule, what is advised, and why the change is not known.

    peers: energy of one answer in Wh, of other models of the same task. idle_share: of the hours
    that the GPUs of its workload were held; None where it has none or none is measured. Advice only
    where the whole interval of the change is below -10 %.
    """
    told = compare(before, now)
    if isinstance(told, str):
        return None, None, told
    change, energy = told
    if change.high is None or change.high > -FALLEN:
        return change, None, ""
    quality = _quality_change(before, now)
    own = sum(row.energy_wh for row in now) / sum(row.metered for row in now)
    figures = {
        "quality_per_joule_change": change.value,
        "quality_per_joule_change_low": change.low if change.low is not None else change.value,
        "quality_per_joule_change_high": change.high,
        "quality_per_joule_change_limit": -FALLEN,
        "energy_per_answer_change": energy.value,
        "quality_change": quality,
        "energy_wh_per_answer": own,
    }
    if idle_share is not None:
        figures["idle_gpu_share"] = idle_share
    usual = float(np.median([*peers.values()])) if len(peers) >= MIN_PEERS else None
    if usual is not None:
        figures["energy_wh_per_answer_of_peers"] = usual
    fell = f"a joule buys {-change.value:.0%} less quality than in {compared}"
    if quality < -QUALITY_KEPT and -quality >= energy.value:
        advice = Advice.RETRAIN
        reason = (
            f"{fell}: its gain over a trivial predictor went by {quality:+.0%} and energy per "
            f"answer by {energy.value:+.0%}; train it anew"
        )
    elif usual is not None and own > PEER_FACTOR * usual:
        advice = Advice.DISTIL
        reason = (
            f"{fell}: energy per answer went by {energy.value:+.0%}, to {own / usual:.1f} times "
            "what other models of this task need, and quality hardly changed; distil or quantise it"
        )
    elif idle_share is not None and idle_share >= IDLE_SHARE:
        advice = Advice.MOVE
        reason = (
            f"{fell}: energy per answer went by {energy.value:+.0%} while its GPUs were idle for "
            f"{idle_share:.0%} of the time; serve it on less hardware, or share it"
        )
    else:
        advice = Advice.LOOK
        reason = (
            f"{fell}: energy per answer went by {energy.value:+.0%} and quality by {quality:+.0%}; "
            "see what changed in how it is served: version, batch size, hardware"
        )
    spare = Interval(-change.value, -change.high, -(change.low or change.value))
    return change, EnergyAdvice(advice, reason, figures, spare), ""


def _quality_change(before: Sequence[DayEnergy], now: Sequence[DayEnergy]) -> float:
    """Of gains per answer; both sides have labels and the former is above 0, or `compare` said."""
    was, is_ = gain_per_answer(before), gain_per_answer(now)
    if was is None or is_ is None or was.value <= 0:
        return 0.0
    return is_.value / was.value - 1
