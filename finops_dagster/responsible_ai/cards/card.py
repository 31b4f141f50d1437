"""Model cards of our own engines: what one is, what it was made of on a day, how good it was.

After M. Mitchell et al., Model Cards for Model Reporting, 2019. Nothing is measured here, and pages
are written in `pages`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

from finops_dagster.domain.decisions import GateResult
from finops_dagster.domain.engines import EngineDescription, Parameter
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.models import ALL

INDEX = "index.html"
FOLDER = "cards"
"""Of a day's report: an index, and a page for each engine."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


@dataclass(frozen=True)
class Metric:
    """What a figure means and where it should go."""

    words: str
    goal: Literal["low", "high"] | float | None = None
    """A number is what it should be near to; None: more is neither better nor worse."""
    unit: Literal["", "share"] = ""


METRICS = {
    "mase": Metric("error, times that of repeating the last season (MASE)", "low"),
    "smape": Metric("symmetric error in percent (sMAPE)", "low"),
    "coverage_80": Metric("truth inside the 80 % interval", 0.8, "share"),
    "coverage_95": Metric("truth inside the 95 % interval", 0.95, "share"),
    "scaled_pinball": Metric("pinball loss, times the season's error", "low"),
    "forecast": Metric("series forecast"),
    "simpler_share": Metric("series forecast by a simpler rule", "low", "share"),
    "series": Metric("series watched"),
    "points": Metric("points judged"),
    "not_judged_share": Metric("series not judged", "low", "share"),
    "novel": Metric("never seen before"),
    "far": Metric("far out"),
    "anomalies": Metric("anomalies by leaf and day"),
    "incidents": Metric("incidents"),
    "told": Metric("told to people"),
    "held": Metric("held"),
    "answered_share": Metric("told ones that people answered", "high", "share"),
    "useful_share": Metric("answered ones that people called useful", "high", "share"),
    "findings": Metric("findings"),
    "abstained": Metric("not judged, with a reason"),
    "editable_share": Metric("findings with an edit", None, "share"),
    "confidence": Metric("mean share of the window that was measured", "high", "share"),
    "risk": Metric("mean risk of a change, in 14 days", "low", "share"),
    "models": Metric("models judged"),
    "warned": Metric("gates that warn"),
    "failed": Metric("gates that fail"),
}
"""Figures by name. MASE: Hyndman and Koehler 2006; pinball: Koenker and Bassett 1978."""


class SegmentMetrics(_Frozen):
    """Figures of one segment. None of them is of people: segments are of teams, services, series
    and resources."""

    segment: str = ALL
    """`all`, or ATTRIBUTE=GROUP."""
    cases: int
    """What the figures rest on: days scored, incidents, findings, models."""
    values: dict[str, float]
    """Name as in METRICS -> value."""


class CardData(_Frozen):
    """What an engine was made of, or looked at."""

    first: date | None = None
    last: date | None = None
    rows: int | None = None
    hash: str = ""


class Training(_Frozen):
    """What training took. All None where it was not measured: `method` says why."""

    seconds: float | None = None
    energy_kwh: float | None = None
    carbon_kg: float | None = None
    method: str


class Card(_Frozen):
    """One engine on one day."""

    name: str
    title: str
    kind: str
    version: str
    as_of: date
    purpose: str
    method: str
    features: tuple[str, ...]
    parameters: dict[str, Parameter]
    limits: tuple[str, ...]
    owner: str
    data: CardData
    data_missing: str = ""
    """Why nothing is known of its data."""
    data_licence: str
    code_version: str
    code_modules: int
    """Modules that the code version is a hash of."""
    metrics: tuple[SegmentMetrics, ...] = ()
    """`all` first, where it is known."""
    baselines: dict[str, dict[str, float]] = {}
    """The same figures of simpler models on the same cases, all segments together."""
    not_measured: tuple[str, ...] = ()
    """What this run did not measure, and why."""
    training: Training
    gate: GateResult | None = None

    @property
    def hash(self) -> str:
        """Content hash, without how long training took and what it used: those differ when the
        same is made again."""
        return content_id("card", self.model_dump(mode="json", exclude={"training"}))

    @property
    def page(self) -> str:
        """Its page, from the folder of a day's report."""
        return page_of(self.name)


@dataclass(frozen=True)
class Measured:
    """What a day told of one engine."""

    data: CardData | None = None
    data_missing: str = ""
    metrics: tuple[SegmentMetrics, ...] = ()
    baselines: dict[str, dict[str, float]] | None = None
    not_measured: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    """Those that the engine's record names; None: as described."""
    parameters: dict[str, Parameter] | None = None
    """Of the model that was trained, beside the constants."""
    training: Training | None = None
    gate: GateResult | None = None


def page_of(name: str) -> str:
    """Where an engine's card is, from the folder of a day's report."""
    return f"{FOLDER}/{name}.html"


def make_card(
    engine: EngineDescription,
    measured: Measured,
    *,
    as_of: date,
    code_version: str,
    code_modules: int,
) -> Card:
    """The card of an engine, from what it says of itself and what a day told of it."""
    training = measured.training or Training(
        method="this run did not measure it" if engine.learns else "it is not trained: it has rules"
    )
    return Card(
        name=engine.name,
        title=engine.title,
        kind=engine.kind.value,
        version=engine.version,
        as_of=as_of,
        purpose=engine.purpose,
        method=engine.method,
        features=measured.features if measured.features is not None else engine.features,
        parameters={**engine.parameters, **(measured.parameters or {})},
        limits=engine.limits,
        owner=engine.owner,
        data=measured.data or CardData(),
        data_missing=measured.data_missing,
        data_licence=engine.data_licence,
        code_version=code_version,
        code_modules=code_modules,
        metrics=measured.metrics,
        baselines=measured.baselines or {},
        not_measured=measured.not_measured,
        training=training,
        gate=measured.gate,
    )
