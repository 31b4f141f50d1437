"""Quality by segment: the one that fell is named, chance is not, and few people are not shown."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd

from finops_dagster.domain.decisions import Abstained
from finops_dagster.responsible_ai.performance.breaches import breaches_of
from finops_dagster.responsible_ai.performance.results import SegmentQuality
from finops_dagster.responsible_ai.performance.segments import judge_segments
from finops_dagster.responsible_ai.windows import ModelWindow


def window(seed: int, rows: dict[str, int], wrong: dict[str, float]) -> ModelWindow:
    """`rows` answers of each group, of which the share `wrong` (else a fifth) is wrong."""
    rng = np.random.default_rng(seed)
    group = [name for name, count in rows.items() for _ in range(count)]
    label = rng.integers(0, 2, len(group)).astype(float)
    miss = rng.random(len(group)) < [wrong.get(name, 0.2) for name in group]
    outcomes = pd.DataFrame(
        {"day": date(2026, 5, 1), "prediction": np.where(miss, 1 - label, label),
         "probability": np.nan, "label": label}
    )  # fmt: skip
    groups = pd.DataFrame({"region": group}, dtype=object)
    return ModelWindow("m", date(2026, 5, 1), date(2026, 5, 7), pd.DataFrame(index=outcomes.index),
                       groups, outcomes)  # fmt: skip


def judged(
    before: dict[str, int], now: dict[str, int], wrong: dict[str, float], seed: int = 1
) -> SegmentQuality:
    found = judge_segments(
        "m", window(seed, before, {}), window(seed + 1, now, wrong), segments=("region",),
        task="classification", smallest_group=20,
    )  # fmt: skip
    assert isinstance(found, SegmentQuality)
    return found


def grades(found: SegmentQuality) -> dict[str, str]:
    made = breaches_of(None, None, found, accuracy_drop=0.05, error_growth=0.2)
    return {one.segment: one.grade for one in made}


SIZES = {"north": 900, "south": 900, "west": 900}


def test_the_segment_that_fell_is_named_and_no_other() -> None:
    found = judged(SIZES, SIZES, {"south": 0.4})
    assert grades(found) == {"region=south": "fail"}
    worst = found.rows[0]
    assert worst.segment == "region=south"
    assert worst.p_adjusted < 1e-6
    assert abs(worst.against_rest.value - 0.2) < 0.05


def test_thirty_sound_segments_raise_no_alarm() -> None:
    """Looking at many must not make one look bad by chance."""
    sizes = {f"r{number}": 60 for number in range(30)}
    alarms = sum(bool(grades(judged(sizes, sizes, {}, seed))) for seed in range(20))
    assert alarms <= 2


def test_few_people_are_withheld_and_cannot_be_worked_out() -> None:
    """With one group missing, the whole less the rest would be its figure."""
    few = {"north": 900, "south": 300, "tiny": 15}
    found = judged(few, few, {})
    assert [row.segment for row in found.rows] == ["region=north"]
    assert found.shielded == ("region: 2 of fewer than 20 people, or beside them",)
    assert "tiny" not in repr(found)
    two = judged({**few, "small": 12}, {**few, "small": 12}, {})
    assert {row.segment for row in two.rows} == {"region=north", "region=south"}


def test_a_segment_that_is_not_in_the_log_and_one_that_is_too_small_say_why() -> None:
    both = window(1, {"north": 300, "south": 30}, {})
    found = judge_segments(
        "m", both, both, segments=("region", "planet"), task="classification", smallest_group=20
    )
    assert isinstance(found, SegmentQuality)
    assert [one.reason for one in found.abstained] == [
        "segment region=south: 30 labelled answers in a window, 50 are needed",
        "segment planet: no group and no category of that name is in the log",
    ]
    none = judge_segments("m", both, both, segments=(), task="classification", smallest_group=20)
    assert none == Abstained(subject="m", reason="its owner names no segment")


def test_ten_thousand_segments_are_borne() -> None:
    sizes = {f"r{number}": 1 for number in range(10_000)}
    found = judged(sizes, sizes, {})
    assert found.rows == ()
    assert found.shielded == ("region: 10000 of fewer than 20 people, or beside them",)
