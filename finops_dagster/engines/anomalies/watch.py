"""Daily cost as one stream: take a day's charges, say what is unusual, remember what is needed.

The tests themselves live in channels and meters; incidents are made elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from finops_dagster.domain.alerts import Answer, LeafKey
from finops_dagster.domain.incidents import Channel
from finops_dagster.engines.anomalies import channels
from finops_dagster.engines.anomalies.alerts import factors
from finops_dagster.engines.anomalies.baseline import REACH, Baseline, Expected, Slow
from finops_dagster.engines.anomalies.channels import NEVER, Hit, Memory, Today
from finops_dagster.engines.anomalies.leaves import KEYS, Charges, Ring, by_day, tidy
from finops_dagster.engines.anomalies.meters import Meters
from finops_dagster.engines.anomalies.result import DetectionConfig
from finops_dagster.engines.known import Floats

_BEFORE_ONSET_DAYS = 70
"""Kept beside the days reported: what was usual before an incident, and its money since."""
_KINDS = tuple(Channel)


class CostWatch:
    """All leaves of an estate. Days are given in order, once; nothing later is looked at."""

    def __init__(self, config: DetectionConfig | None = None) -> None:
        self.config = config or DetectionConfig()
        kept = max(self.config.report_days, self.config.lookback_days) + _BEFORE_ONSET_DAYS
        self.kept_days = max(REACH, kept)
        self.first: int | None = None
        self.day: int | None = None
        """date.toordinal of the first and the newest day."""
        self.keys: list[tuple[str, ...]] = []
        self.meter_keys: list[tuple[str, ...]] = []
        self.account = np.empty(0, dtype=int)
        self.born = np.empty(0, dtype=int)
        self.account_born: list[int] = []
        self.dropped = np.empty(0, dtype=int)
        """Rows without a finite cost, by leaf; `dropped_on` the newest one's day."""
        self.dropped_on = np.empty(0, dtype=int)
        self.shared = 0
        """Day on which many leaves last moved together; `shared_leaves` so many."""
        self.shared_leaves = 0
        self.hits: list[Hit] = []
        """Those of the days kept."""
        self.cost = Ring(self.kept_days, 0.0)
        self.lasting = Ring(self.config.lasting_days, np.nan)
        self.base = Baseline()
        self.slow = Slow()
        self.memory = Memory.empty()
        self.meters = Meters(self.config, self.kept_days)
        self._index: dict[tuple[str, ...], int] = {}
        self._meter_index: dict[tuple[str, ...], int] = {}
        self._account_index: dict[tuple[str, str], int] = {}
        self._group_index: dict[tuple[str, ...], int] = {}

    def take(self, rows: pd.DataFrame, until: date, answers: Sequence[Answer] = ()) -> list[Hit]:
        """Take every day up to `until`; returns their anomalies. Columns of `rows`: see `tidy`.

        `answers` move a leaf's thresholds of points and creep from the day on which they were
        given; prices, mixes and what is new are facts. A day without rows is a day that cost
        nothing. Raises ValueError where `rows` tell of a day that was taken before: what was said
        of it stands, and a corrected history is gone through anew.
        """
        frame = tidy(rows)
        frame = frame.loc[frame["ds"] <= pd.Timestamp(until)]
        told = frame["ds"].min().date().toordinal() if len(frame) else None
        if self.day is not None and told is not None and told <= self.day:
            raise ValueError(
                f"{date.fromordinal(told).isoformat()} was taken before: the newest day is "
                f"{date.fromordinal(self.day).isoformat()}"
            )
        first = told if self.day is None else self.day + 1
        if first is None:
            return []
        hits = []
        for charges in by_day(frame, first, until.toordinal()):
            factor = factors(answers, date.fromordinal(charges.day)) if answers else {}
            hits += self._step(charges, factor)
        return hits

    def _step(self, charges: Charges, factor: Mapping[LeafKey, float]) -> list[Hit]:
        day = charges.day
        self.first = day if self.first is None else self.first
        self.day = day
        cost, meter_cost, meter_quantity = self._laid_out(charges)
        age = day - self.born
        expected = self.base.step(cost, age, date.fromordinal(day))
        strict = np.ones(len(self.keys))
        if factor:
            strict = np.array([factor.get(key, 1.0) for key in self.keys])
        expected = replace(expected, z=expected.z / strict)
        known = (age >= self.config.min_history_days) & np.isfinite(expected.z)
        usual = np.where(known, expected.cost, 0.0)
        totals = np.bincount(self.account, weights=np.maximum(usual, 0.0), minlength=1)
        spend = totals[self.account]
        today = Today(day, cost, expected, age, known, usual, spend, self.account)
        self.cost.add(cost)
        self.lasting.add(np.where(known, expected.z, np.nan))
        hits = self._tests(today, expected, strict)
        hits += self.meters.step(today, self.memory, meter_cost, meter_quantity)
        forget = day - self.kept_days
        self.hits = [hit for hit in self.hits if hit.day > forget] + hits
        return hits

    def _tests(self, today: Today, expected: Expected, strict: Floats) -> list[Hit]:
        config, memory = self.config, self.memory
        lasting = self.lasting.last(config.lasting_days)
        hits = channels.missing(today, memory)
        found, shared = channels.points(today, memory, config, lasting)
        if shared.any():
            self.shared, self.shared_leaves = today.day, int(shared.sum())
        hits += found + channels.offsetting(today, memory, config, lasting, shared)
        muted = today.day - memory.pointed <= config.merge_days
        crept = self.slow.step(self.base, expected.unit, today.age, muted)
        crept = replace(crept, score=crept.score / strict)
        hits += channels.creep(today, memory, config, crept)
        began = np.array(self.account_born, dtype=int)[self.account]
        seasoned = self.born - began >= config.min_history_days
        return hits + channels.new(today, memory, config, seasoned)

    def _laid_out(self, charges: Charges) -> tuple[Floats, Floats, Floats]:
        """Cost by leaf, cost and quantity by meter; what is new is entered first."""
        for key in charges.dropped:
            leaf = self._leaf(key)
            self.dropped[leaf] += 1
            self.dropped_on[leaf] = charges.day
        places = [self._meter(key) for key in charges.keys]
        born = [
            i
            for i, amount in zip(places, charges.cost, strict=True)
            if amount != 0 and self.meters.born[i] > charges.day
        ]
        self.meters.born[born] = charges.day
        meter_cost = np.zeros(len(self.meters.leaf))
        quantity = np.zeros(len(self.meters.leaf))
        meter_cost[places] = charges.cost
        quantity[places] = charges.quantity
        cost = np.bincount(self.meters.leaf, weights=meter_cost, minlength=len(self.keys))
        begun = (cost != 0) & (self.born > charges.day)
        self.born[begun] = charges.day
        for account in self.account[begun]:
            self.account_born[account] = min(self.account_born[account], charges.day)
        return cost, meter_cost, quantity

    def _leaf(self, key: tuple[str, ...]) -> int:
        if key in self._index:
            return self._index[key]
        number = self._index[key] = len(self.keys)
        self.keys.append(key)
        owner = (key[0], key[3])
        if owner not in self._account_index:
            self._account_index[owner] = len(self.account_born)
            self.account_born.append(-NEVER)
        self.account = np.append(self.account, self._account_index[owner])
        self.born = np.append(self.born, -NEVER)
        self.dropped = np.append(self.dropped, 0)
        self.dropped_on = np.append(self.dropped_on, NEVER)
        for ring in (self.cost, self.lasting, self.slow.moved):
            ring.grow(number + 1)
        self.base.grow(number + 1)
        self.memory.grow(number + 1)
        return number

    def _meter(self, key: tuple[str, ...]) -> int:
        if key in self._meter_index:
            return self._meter_index[key]
        leaf = self._leaf(key[: len(KEYS)])
        number = self._meter_index[key] = len(self.meter_keys)
        self.meter_keys.append(key)
        unit = (*key[: len(KEYS)], key[-1])
        group = self._group_index.setdefault(unit, number) if key[-1] else None
        self.meters.grow(leaf, group, -NEVER)
        return number

    def state(self) -> dict[str, Any]:
        """Everything the next verdict depends on, as plain numbers and arrays: see `restored`."""
        out: dict[str, Any] = {
            "first": -1 if self.first is None else self.first,
            "day": -1 if self.day is None else self.day,
            "shared": np.array([self.shared, self.shared_leaves]),
            "keys": np.array(self.keys, dtype=str).reshape(-1, len(KEYS)),
            "meter_keys": np.array(self.meter_keys, dtype=str).reshape(-1, len(KEYS) + 2),
            "born": self.born,
            "account_born": np.array(self.account_born, dtype=int),
            "dropped": self.dropped,
            "dropped_on": self.dropped_on,
            "hits": np.array(
                [
                    (h.leaf, h.day, _KINDS.index(h.kind), h.expected, h.score, h.onset)
                    for h in self.hits
                ],
                dtype=float,
            ).reshape(-1, 6),
            "meter_born": self.meters.born,
            "repriced": self.meters.repriced,
            "mixed": self.meters.mixed,
            "meter_creeping": self.meters.creeping,
            "meter_far": self.meters.far,
        }
        for one in fields(Memory):
            out[f"memory_{one.name}"] = getattr(self.memory, one.name)
        for name, ring in self._rings().items():
            out[f"ring_{name}"] = ring.last(ring.size)
        return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in out.items()}

    @classmethod
    def restored(cls, state: Mapping[str, Any], config: DetectionConfig | None = None) -> CostWatch:
        """A watch that goes on as the one whose `state` this is would, under the same config."""
        watch = cls(config)
        for key in np.asarray(state["keys"]).tolist():
            watch._leaf(tuple(key))
        for key in np.asarray(state["meter_keys"]).tolist():
            watch._meter(tuple(key))
        watch.first = None if int(state["first"]) < 0 else int(state["first"])
        watch.day = None if int(state["day"]) < 0 else int(state["day"])
        watch.shared, watch.shared_leaves = (int(one) for one in state["shared"])
        watch.account_born = [int(one) for one in state["account_born"]]
        for name in ("born", "dropped", "dropped_on"):
            setattr(watch, name, np.array(state[name], dtype=int))
        watch.meters.born = np.array(state["meter_born"], dtype=int)
        watch.meters.repriced = np.array(state["repriced"], dtype=int)
        watch.meters.mixed = np.array(state["mixed"], dtype=int)
        watch.meters.creeping = np.array(state["meter_creeping"], dtype=int)
        watch.meters.far = np.array(state["meter_far"], dtype=int)
        watch.hits = [
            Hit(int(leaf), int(day), _KINDS[int(kind)], float(expected), float(score), int(onset))
            for leaf, day, kind, expected, score, onset in state["hits"]
        ]
        for one in fields(Memory):
            setattr(watch.memory, one.name, np.array(state[f"memory_{one.name}"]))
        for name, ring in watch._rings().items():
            ring.put(np.asarray(state[f"ring_{name}"], dtype=float))
        return watch

    def _rings(self) -> dict[str, Ring]:
        return {
            "cost": self.cost,
            "lasting": self.lasting,
            "moved": self.slow.moved,
            "meter_moved": self.meters.slow.moved,
            **{f"base_{name}": ring for name, ring in self.base.rings.items()},
            **{f"meter_{name}": ring for name, ring in self.meters.rings.items()},
            **{f"meter_base_{name}": ring for name, ring in self.meters.base.rings.items()},
        }
