"""Tokens that the company's services asked of language models, as their telemetry tells them.

What they cost is billed by the meters named here, or by the workload that answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from finops_dagster.demo.consumption import QUANTITY_SCALE, Event, meters, quantities
from finops_dagster.demo.delivery import chosen, signal_known_at, times, write
from finops_dagster.demo.demand import Timeline, sizing_on
from finops_dagster.demo.noise import Ints, stream, uniform
from finops_dagster.demo.plan import Plan
from finops_dagster.demo.seasons import HOUR_MINUTES, day_number, minutes_of, profile

TYPES = ("input", "cached_input", "output")
_HOURS = 24
_MILLION = 1_000_000


@dataclass(frozen=True)
class Asker:
    """A service that asks a language model; `share` is of all the tokens that are billed."""

    service: str
    team: str
    namespace: str
    share: float


@dataclass(frozen=True)
class LanguageModel:
    """A language model and who asks it. What is left of the shares of one is logged by nobody."""

    provider: str
    model: str
    askers: tuple[Asker, ...]
    meters: Mapping[str, str] = field(default_factory=dict)
    """Type of tokens -> key of the meter that bills it."""
    workload: str | None = None
    """KIND/NAMESPACE/NAME that answers, where it runs on the company's own machines."""
    millions: Mapping[str, float] = field(default_factory=dict)
    """Type of tokens -> millions of them a day, where no meter counts them."""


LANGUAGE_MODELS = (
    LanguageModel(
        provider="aws.bedrock",
        model="anthropic.claude-sonnet-4-20250514-v1:0",
        askers=(
            Asker("shop-assistant", "storefront", "storefront", 0.55),
            Asker("search-answers", "search", "search", 0.45),
        ),
        meters={"output": "bedrock"},
        millions={"input": 31.0},
    ),
    LanguageModel(
        provider="gcp.vertex_ai",
        model="gemini-2.5-flash",
        askers=(
            Asker("insight-digest", "analytics", "analytics", 0.5),
            Asker("parcel-chat", "tracking", "tracking", 0.3),
            Asker("stock-notes", "warehouse", "warehouse", 0.12),
        ),
        meters={
            "input": "gemini-input",
            "cached_input": "gemini-cached-input",
            "output": "gemini-output",
        },
    ),
    LanguageModel(
        provider="vllm",
        model="llama-3.1-8b-instruct",
        askers=(
            Asker("prompt-lab", "ml-platform", "ml-sandbox", 0.7),
            Asker("support-drafts", "analytics", "analytics", 0.3),
        ),
        workload="Deployment/ml-sandbox/llm-playground",
        millions={"input": 5.5, "output": 1.6},
    ),
)


def asked(
    plan: Plan, timeline: Timeline, hidden: tuple[Event, ...], model: LanguageModel, day: date
) -> dict[str, int]:
    """Tokens of a day by type: as many as are billed, where they are billed; none while it is off.

    Prompts are told of a model only while its answers are.
    """
    number = np.array([day_number(day)], dtype=np.int64)
    by_key = {meter.key: meter for meter in meters()}
    found = {
        type_: int(quantities(plan.seed, by_key[key], number, hidden)[0])
        * (_MILLION // QUANTITY_SCALE)
        for type_, key in model.meters.items()
    }
    if model.workload is not None:
        workload = next(one for one in plan.workloads if one.resource == model.workload)
        sizing = sizing_on(workload, timeline, day)
        on = sizing is not None and sizing.replicas > 0
    else:
        on = any(found.values())
    noise = stream(plan.seed, f"tokens/{model.model}")
    for place, (type_, millions) in enumerate(model.millions.items()):
        level = 0.9 + 0.2 * float(uniform(noise + place, number)[0])
        found[type_] = int(millions * _MILLION * level) if on else 0
    return found


def write_token_usage(
    out: Path,
    plan: Plan,
    timeline: Timeline,
    hidden: tuple[Event, ...],
    first: date,
    last: date,
) -> None:
    """Write what was asked in each hour, one delivery a day from `first` to `last`."""
    lines = [(model, asker) for model in LANGUAGE_MODELS for asker in model.askers]
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        minutes = minutes_of(day, day, HOUR_MINUTES)
        busy = profile("office", minutes)
        part = busy / busy.sum()
        tokens = {type_: np.zeros((len(lines), _HOURS), dtype=np.int64) for type_ in TYPES}
        of = {model.model: asked(plan, timeline, hidden, model, day) for model in LANGUAGE_MODELS}
        for row, (model, asker) in enumerate(lines):
            for type_, count in of[model.model].items():
                # whole tokens: what rounding down leaves is logged by nobody
                tokens[type_][row] = np.floor(count * asker.share * part).astype(np.int64)
        table = _table(lines, minutes, tokens)
        write(out / "token_usage" / f"day={day.isoformat()}", table, signal_known_at(day))


def _table(
    lines: list[tuple[LanguageModel, Asker]], minutes: Ints, tokens: Mapping[str, Ints]
) -> pa.Table:
    row, hour = np.nonzero(tokens["output"] + tokens["input"])
    told = {type_: values[row, hour] for type_, values in tokens.items()}
    return pa.table(
        {
            "time": times(minutes[hour]),
            "interval_seconds": pa.array(np.full(len(row), HOUR_MINUTES * 60, dtype=np.int64)),
            "provider": chosen([model.provider for model, _ in lines], row),
            "model": chosen([model.model for model, _ in lines], row),
            "operation": chosen(["chat"] * len(lines), row),
            "service": chosen([asker.service for _, asker in lines], row),
            "team": chosen([asker.team for _, asker in lines], row),
            "namespace": chosen([asker.namespace for _, asker in lines], row),
            # what a cache had is among what was given
            "input_tokens": pa.array(told["input"] + told["cached_input"]),
            "output_tokens": pa.array(told["output"]),
            "cached_input_tokens": pa.array(told["cached_input"]),
        }
    )
