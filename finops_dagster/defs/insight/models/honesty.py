"""Reads what earlier days forecast beside what came, has it judged, and keeps its page.

What counts as honest is responsible_ai's to say.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models import engines
from finops_dagster.defs.insight.models.cards import FORECASTER
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.models import Breach
from finops_dagster.responsible_ai.honesty import HonestyResult, breaches_of, judge_forecasts
from finops_dagster.responsible_ai.html import write_page
from finops_dagster.storage.days import DayStore

DOCUMENT = "forecast_honesty"
PAGE = "models/forecaster-honesty.html"
HISTORY_DAYS = 365
"""Days before the decided one whose forecasts are read."""
_SAID = ["unique_id", "ds", "mean", "lo80", "hi80", "lo95", "hi95"]


@dataclass(frozen=True)
class Watched:
    """What was said of a day's past forecasts."""

    breaches: tuple[Breach, ...]
    abstained: list[Abstained]
    page: Path


def watch(estate: Estate, folder: Path, as_of: date) -> Watched:
    """Judge what earlier days forecast, else the day's backtest; writes document and page."""
    day = estate.day(as_of)
    judged = judge(estate, day, as_of)
    refused = judged if isinstance(judged, Abstained) else None
    breaches = breaches_of(judged)
    day.write_document(DOCUMENT, _document(judged))
    page = write_page(
        folder / PAGE,
        "champion.html",
        name=FORECASTER,
        engine=day.document(engines.DOCUMENT),
        honesty=None if refused else judged,
        refused=refused,
        breaches=breaches,
        months=() if isinstance(judged, Abstained) else judged.months,
    )
    return Watched(breaches, [refused] if refused else [], page)


def judge(estate: Estate, day: DayStore, as_of: date) -> HonestyResult | Abstained:
    """Of forecasts one day ahead that were made before `as_of`, against what is known on it."""
    series = day.frame("cost_series")
    if series is None:
        return Abstained(subject=FORECASTER, reason="no cost is known for this day")
    actual = series[["unique_id", "ds", "y"]].rename(columns={"y": "actual"})
    actual["ds"] = pd.to_datetime(actual["ds"])
    teams = engines.segments(series)
    rate = estate.settings.ai.false_alarms_per_year
    told = judge_forecasts(
        FORECASTER, said_before(estate, as_of, actual), teams, false_alarms_per_year=rate
    )
    origins = day.frame("forecast_origins")
    if not isinstance(told, Abstained) or origins is None:
        return told
    # the first step after each window's last known day
    first = origins.assign(ds=pd.to_datetime(origins["origin"]) + pd.Timedelta(days=1))
    again = judge_forecasts(FORECASTER, first, teams, false_alarms_per_year=rate, source="backtest")
    return told if isinstance(again, Abstained) else again


def said_before(estate: Estate, as_of: date, actual: pd.DataFrame) -> pd.DataFrame:
    """What days before `as_of` said one day ahead, with what came of it; later days are not read.

    Where the newest cost stayed the same for days, the last of them is taken.
    """
    frames = []
    for back in range(HISTORY_DAYS, 0, -1):
        earlier = estate.decided(as_of - timedelta(days=back))
        frame = earlier.frame("forecasts") if earlier is not None else None
        if frame is not None and not frame.empty:
            frames.append(frame.loc[frame["step"] == 1, _SAID])
    if not frames:
        return pd.DataFrame(columns=[*_SAID, "actual"])
    said = pd.concat(frames, ignore_index=True)
    said["ds"] = pd.to_datetime(said["ds"])
    said = said.drop_duplicates(["unique_id", "ds"], keep="last")
    return said.merge(actual, on=["unique_id", "ds"], how="inner")


def _document(judged: HonestyResult | Abstained) -> dict[str, Any]:
    if isinstance(judged, Abstained):
        return {"abstained": judged.reason}
    told = dataclasses.asdict(judged)
    told["days"] = [one.isoformat() for one in judged.days]
    for one in told["segments"]:
        one["coverage"] = {str(level): value for level, value in one["coverage"].items()}
    return told
