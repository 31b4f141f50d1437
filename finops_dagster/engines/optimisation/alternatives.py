"""The limits of each kind's rule, solved for a figure of its finding: just across, it says no.

Limits are the rules' own, imported from them. What every proposal is held to is asked next door.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Context, Decimal
from typing import NamedTuple

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.money import to_decimal
from finops_dagster.engines.optimisation import provisioned_concurrency, serverless_memory
from finops_dagster.engines.optimisation.carbon_hours import MIN_SHARE
from finops_dagster.engines.optimisation.doubts import OFTEN
from finops_dagster.engines.optimisation.idle import (
    IDLE_CPU_SHARE,
    IDLE_GPU_PERCENT,
    IDLE_NETWORK_BYTES_PER_SECOND,
    MIN_HOURS_SINCE_BUSY,
)
from finops_dagster.engines.optimisation.off_hours import OFF_MIN_SHARE_OF_WEEK
from finops_dagster.engines.optimisation.schedules import HOURS_OF_WEEK

_DIGITS = 4
_SLACK = Decimal("0.000002")
"""Figures are kept to six digits: a limit is told this much on the safe side of its own."""


class Alternative(NamedTuple):
    """One thing that, alone, would have been enough."""

    text: str
    """A clause after `if`."""
    change: float
    """Between what is and what would have to be, as a share of the larger, in [0, 1] where both
    have one sign: by it the nearest come first."""


class Rule(NamedTuple):
    """What of a kind's figures tells an alternative, and how."""

    needs: tuple[str, ...]
    tell: Callable[[Mapping[str, float]], Iterable[Alternative]]


def _over(name: str, limit: str, text: str) -> Rule:
    """Where a figure would be over a limit that is a figure itself."""

    def tell(figures: Mapping[str, float]) -> Iterator[Alternative]:
        now, most = figures[name], figures[limit]
        yield apart(text.format(limit=_up(most), now=plain(now)), now, most)

    return Rule((name, limit), tell)


def _short(meter: str) -> Rule:
    """A raise: by use over the request, by kills for want of memory, or by both."""

    def tell(figures: Mapping[str, float]) -> Iterator[Alternative]:
        often, now = OFTEN[meter], figures["exceeded_share"]
        kills = figures.get("kills_for_want_of_memory", 0.0)
        times = f"not been killed for want of memory (it was {plain(kills)} times)"
        seldom = (
            f"used more than it requests in at most {plain(100 * often)} % of the intervals (it "
            f"did in {plain(100 * now)} %)"
        )
        if now <= often:
            told = [f"it had {times}"] if kills > 0 else []
        else:
            told = [f"it had {seldom}" + (f" and {times}" if kills > 0 else "")]
        for text in told:
            yield apart(text, *((now, often) if now > often else (kills, 0.0)))

    return Rule(("exceeded_share",), tell)


def _by_idle_cpu(figures: Mapping[str, float]) -> Iterator[Alternative]:
    now, busy = figures["cpu_p99_cores"], IDLE_CPU_SHARE * figures["cpu_request_cores"]
    yield apart(
        f"it had used {_up(busy)} cores or more in one interval of a hundred (its 99th percentile "
        f"is {plain(now)})",
        now,
        busy,
    )


def _by_idle_network(figures: Mapping[str, float]) -> Iterator[Alternative]:
    now, busy = figures["network_p99_bytes_per_second"], IDLE_NETWORK_BYTES_PER_SECOND
    yield apart(
        f"it had received {plain(busy)} bytes a second or more in one interval of a hundred (its "
        f"99th percentile is {plain(now)})",
        now,
        busy,
    )


def _by_idle_gpu(figures: Mapping[str, float]) -> Iterator[Alternative]:
    highest = figures["gpu_utilisation_percent_highest_4h_mean"]
    yield apart(
        f"its GPUs had been busy for {plain(IDLE_GPU_PERCENT)} % or more over any 4 hours (the "
        f"most was {plain(highest)} %)",
        highest,
        IDLE_GPU_PERCENT,
    )
    since = figures["hours_since_busy"]
    yield apart(
        f"a sample had been busy in the last {plain(MIN_HOURS_SINCE_BUSY)} hours (none was for "
        f"{plain(since)})",
        since,
        MIN_HOURS_SINCE_BUSY,
    )


def _by_hours(figures: Mapping[str, float]) -> Iterator[Alternative]:
    now, most = figures["hours_in_use_a_week"], HOURS_OF_WEEK * (1 - OFF_MIN_SHARE_OF_WEEK)
    yield apart(
        f"it were in use in over {exact(most)} hours of a week (it is in {plain(now)})", now, most
    )


def _by_share(least: float) -> Rule:
    """A saving is worth it from a share of the cost on."""

    def tell(figures: Mapping[str, float]) -> Iterator[Alternative]:
        now, most = figures["cost_after_share"], 1 - least
        yield apart(
            f"it cost over {exact(100 * most)} % of today's after the change (it would cost "
            f"{plain(100 * now)} %)",
            now,
            most,
        )

    return Rule(("cost_after_share",), tell)


def _by_runs(figures: Mapping[str, float]) -> Iterator[Alternative]:
    before, then = figures["emitted_per_run_kg"], figures["emitted_per_run_then_kg"]
    yield apart(
        f"a run emitted over {_up(before * (1 - MIN_SHARE))} kg at every hour that it may start at "
        f"(at the best it would emit {plain(then)})",
        then,
        before * (1 - MIN_SHARE),
    )


def _by_type(figures: Mapping[str, float]) -> Iterator[Alternative]:
    then, now = figures["proposed_price_per_hour"], figures["price_per_hour"]
    yield apart(
        f"the type that it is now cost {_under(then)} an hour or less (it costs {plain(now)})",
        now,
        then,
    )


_BY_TYPE = (Rule(("proposed_price_per_hour", "price_per_hour"), _by_type),)
RULES: Mapping[FindingKind, tuple[Rule, ...]] = {
    FindingKind.RIGHTSIZE_CPU: (
        _over(
            "rule_quantile_cores",
            "rule_quantile_limit_cores",
            "the high quantile of its CPU that the rule goes by were above {limit} cores a replica "
            "(it is {now})",
        ),
        _over(
            "risk_size_cores",
            "risk_size_limit_cores",
            "the risk learnt of the fleet asked for over {limit} cores a replica (it asks for "
            "{now})",
        ),
    ),
    FindingKind.RIGHTSIZE_MEMORY: (
        _over(
            "peak_and_drift_gib",
            "peak_and_drift_limit_gib",
            "its highest use of memory, growth included, were above {limit} GiB a replica (it is "
            "{now})",
        ),
    ),
    FindingKind.UNDERPROVISIONED_CPU: (_short("cpu"),),
    FindingKind.UNDERPROVISIONED_MEMORY: (_short("memory"),),
    FindingKind.IDLE_WORKLOAD: (
        Rule(("cpu_p99_cores", "cpu_request_cores"), _by_idle_cpu),
        Rule(("network_p99_bytes_per_second",), _by_idle_network),
    ),
    FindingKind.IDLE_GPU: (
        Rule(("gpu_utilisation_percent_highest_4h_mean", "hours_since_busy"), _by_idle_gpu),
    ),
    FindingKind.OFF_HOURS: (Rule(("hours_in_use_a_week",), _by_hours),),
    FindingKind.UNDERUSED_GPU: (
        _over(
            "gpu_busy_needed_percent",
            "gpu_busy_limit_percent",
            "it needed over {limit} % of each of its GPUs, headroom included (it needs {now} %)",
        ),
    ),
    FindingKind.SERVERLESS_MEMORY: (_by_share(serverless_memory.MIN_SAVING_SHARE),),
    FindingKind.PROVISIONED_CONCURRENCY: (_by_share(provisioned_concurrency.MIN_SAVING_SHARE),),
    FindingKind.CARBON_HOURS: (Rule(("emitted_per_run_kg", "emitted_per_run_then_kg"), _by_runs),),
    FindingKind.RIGHTSIZE_MACHINE: _BY_TYPE,
    FindingKind.RIGHTSIZE_DATABASE: _BY_TYPE,
    FindingKind.MACHINE_GENERATION: _BY_TYPE,
    FindingKind.MACHINE_ARCHITECTURE: _BY_TYPE,
}


def apart(text: str, now: float, limit: float) -> Alternative:
    larger = max(abs(now), abs(limit))
    return Alternative(text, abs(limit - now) / larger if larger else 0.0)


def _up(figure: float) -> str:
    """The limit of what must be over a figure's: to four digits, never under it."""
    exact = to_decimal(figure)
    return _digits(exact + abs(exact) * _SLACK, ROUND_CEILING)


def _under(figure: float) -> str:
    """The limit of what must be at or under a figure's: to four digits, never over it."""
    exact = to_decimal(figure)
    return _digits(exact - abs(exact) * _SLACK, ROUND_FLOOR)


def exact(limit: float) -> str:
    """The limit of what must be over it, where it is a rule's own and not a figure."""
    return _digits(to_decimal(limit), ROUND_CEILING)


def down(limit: Decimal) -> str:
    """The limit of what must be under it: to four digits, never over it."""
    return _digits(limit, ROUND_FLOOR)


def plain(value: float) -> str:
    return _digits(to_decimal(value), ROUND_HALF_EVEN)


def _digits(value: Decimal, rounding: str) -> str:
    """Four significant digits without an exponent, and no zeros that say nothing."""
    text = format(Context(prec=_DIGITS, rounding=rounding).plus(value), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
