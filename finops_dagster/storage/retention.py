"""Which deliveries are kept, by rules that say how far back a day can be decided again.

Removing the others is the lake's business; what publications name is kept by whoever asks.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.periods import known_by, month_start


@dataclass(frozen=True)
class Retention:
    """Every delivery for `all_days`, then each day's last for `daily_days`, then each month's."""

    all_days: int
    daily_days: int
    decide_at: time
    """UTC. A day ends when its decision is due: its last delivery is what it is decided on."""

    def decided_on(self, known_at: datetime) -> date:
        """The first day whose decision may use what became known at `known_at`."""
        since = timedelta(hours=self.decide_at.hour, minutes=self.decide_at.minute)
        # what is known at the very instant is known by it
        return (known_at.astimezone(UTC) - since - timedelta(microseconds=1)).date()

    def kept(self, deliveries: Iterable[Delivery], now: datetime) -> frozenset[str]:
        """Ids of those to keep at `now`, of accepted deliveries of any sources and partitions.

        Of each source and partition: the one in force; all known in the last `all_days`; what is
        in force when the decision of any of the last `daily_days` is due; and the last of each
        month. So each of those days can be decided again on just what was known then.
        """
        places: dict[tuple[str, str, date], list[Delivery]] = {}
        for one in deliveries:
            places.setdefault((one.table, one.source, one.partition), []).append(one)
        return frozenset(
            one.delivery_id for some in places.values() for one in self._kept_of(some, now)
        )

    def _kept_of(self, deliveries: list[Delivery], now: datetime) -> Iterable[Delivery]:
        ordered = sorted(deliveries, key=lambda one: (one.known_at, one.delivery_id))
        days = max(self.all_days, self.daily_days)
        promised = self.decided_on(now) - timedelta(days=days)
        due = known_by(promised, self.decide_at)
        for one, following in zip(ordered, [*ordered[1:], None], strict=True):
            if following is None or following.known_at > now:
                yield one  # in force, or not known yet
            elif now - one.known_at <= timedelta(days=self.all_days) or self._is_last(
                one, following, due
            ):
                yield one

    def _is_last(self, one: Delivery, following: Delivery, due: datetime) -> bool:
        """Whether `one` was in force at the end of a promised day, or at the end of a month."""
        if following.known_at <= due:
            mine, next_ = self.decided_on(one.known_at), self.decided_on(following.known_at)
            return month_start(mine) != month_start(next_)
        return self.decided_on(one.known_at) != self.decided_on(following.known_at)
