"""Which trained model a day forecasts with: served, trained anew, promoted, gone back to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from finops_dagster.cli.ai.engines import engine_rows, rolled_back
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models import engines
from finops_dagster.defs.insight.waste.engines import wanted
from finops_dagster.domain.errors import SettingsError, Stopped
from finops_dagster.engines.forecasting import ForecastResult, forecast, name_of
from finops_dagster.settings import Settings
from tests.unit.engines.test_forecasting import pool

LENGTH = 170
DAY = date(2026, 6, 20)
NAMES = ("total|USD|all", "team|USD|a", "team|USD|b", "team|EUR|c")


def series(more: int = 0, names: tuple[str, ...] = NAMES) -> pd.DataFrame:
    """Daily cost up to so many days after the first."""
    made = pool(series=len(names), length=LENGTH + more)
    renamed = dict(zip(sorted(made["unique_id"].unique()), names, strict=True))
    last = pd.Timestamp(DAY - timedelta(days=1)) + pd.Timedelta(days=more)
    return made.assign(
        unique_id=made["unique_id"].map(renamed), ds=made["ds"] + (last - made["ds"].max())
    )


@pytest.fixture
def estate(tmp_path: Path) -> Callable[..., Estate]:
    """The estate on a day, so many after the first; its state is one."""

    def made(more: int = 0, **ai: object) -> Estate:
        return Estate(
            Settings(
                estate="a",
                billing=[{"name": "b", "path": "c"}],
                state_dir=tmp_path,
                as_of=DAY + timedelta(days=more),
                ai={"engines": {"max_age_days": 7, **ai}},
            )
        )

    return made


def decided(of: Estate, cost: pd.DataFrame) -> tuple[engines.InUse, ForecastResult]:
    """What the asset does of a day."""
    as_of = of.settings.decided_day()
    used = engines.in_use(of, as_of, cost)
    result = forecast(
        cost[["unique_id", "ds", "y"]], horizon=30, frequency="daily",
        recipe=used.recipe, artefact=used.artefact, explain_steps=[1],
    )  # fmt: skip
    engines.keep(of, as_of, used, result, cost)
    return used, result


def test_evidence_trains_and_a_rollback_restores_the_exact_bytes(
    estate: Callable[..., Estate],
) -> None:
    """Trained, served, trained for its age, gone back to, kept, let go: each with its reason."""
    used, first = decided(estate(), series())
    assert used.artefact is None and used.reasons == ("Nothing was trained before.",)
    a = name_of(first.artefact)

    used, served = decided(estate(1), series(1))
    assert used.artefact == first.artefact and not used.trains
    assert used.reasons == ("Nothing speaks against it.",)
    assert served.artefact == first.artefact

    used, second = decided(estate(9), series(9))
    assert used.reasons == ("It learnt from nothing of the last 10 days; 7 are allowed.",)
    b = name_of(second.artefact)
    assert b != a

    now = estate(9)
    dry = rolled_back(now.settings, "", unpin=False, act=False)
    assert (dry["artefact"], dry["recorded"]) == (a, False)
    assert engines.in_use(estate(10), DAY + timedelta(days=10), series(10)).artefact == (
        second.artefact
    )
    done = rolled_back(now.settings, a[:8], unpin=False, act=True)
    assert (done["artefact"], done["replaces"], done["recorded"]) == (a, b, True)
    again = rolled_back(now.settings, a, unpin=False, act=True)
    assert not again["recorded"] and "already" in again["told"]

    used, result = decided(estate(30), series(30))
    assert used.artefact == first.artefact and used.standing.pinned
    assert name_of(result.artefact) == a
    champion, *others = engine_rows(estate(30), DAY + timedelta(days=30))
    assert (champion["artefact"], champion["role"], champion["pinned"]) == (a, "champion", True)
    assert champion["reasons"] == ["A person went back to it."]
    assert [one["artefact"] for one in others] == [b]

    assert rolled_back(estate(30).settings, "", unpin=True, act=True)["recorded"]
    used = engines.in_use(estate(31), DAY + timedelta(days=31), series(31))
    assert (used.artefact is None and "31 days" in used.reasons[0]) or "32 days" in used.reasons[0]

    # a past day decided again finds what it found then
    used = engines.in_use(estate(31), DAY + timedelta(days=1), series(1))
    assert used.artefact == first.artefact


def test_a_day_decided_twice_writes_nothing_twice(estate: Callable[..., Estate]) -> None:
    decided(estate(), series())
    decided(estate(), series())
    assert [one.what for one in engines.events(estate())] == ["trained"]


def test_new_and_ended_series_are_evidence(estate: Callable[..., Estate]) -> None:
    decided(estate(), series())
    more = series(1, (*NAMES, "team|USD|new"))
    used = engines.in_use(estate(1), DAY + timedelta(days=1), more)
    assert used.reasons == ("Series that it has not learnt from: team|USD|new.",)
    gone = series(1).query("unique_id != 'team|USD|b'")
    used = engines.in_use(estate(1), DAY + timedelta(days=1), gone)
    assert used.reasons == ("Series that ended: team|USD|b.",)


def test_a_lost_or_changed_artefact_is_refused(estate: Callable[..., Estate]) -> None:
    """Training another in silence would forecast with what nobody chose."""
    _, first = decided(estate(), series())
    path = engines.store(estate()).root / name_of(first.artefact) / "artefact"
    path.write_bytes(first.artefact[:-1] + b" ")
    with pytest.raises(Stopped, match="was changed"):
        engines.in_use(estate(1), DAY + timedelta(days=1), series(1))
    path.unlink()
    with pytest.raises(SettingsError, match="There is no artefact"):
        engines.in_use(estate(1), DAY + timedelta(days=1), series(1))
    with pytest.raises(SettingsError, match="No artefact begins"):
        rolled_back(estate().settings, "ffffff", unpin=False, act=True)


def planted(
    monkeypatch: pytest.MonkeyPatch, champion: ForecastResult, factors: dict[str, float]
) -> None:
    """A challenger whose errors are the champion's, times a factor of each series."""
    fast = forecast(
        series()[["unique_id", "ds", "y"]], horizon=30, frequency="daily", recipe="fast",
        explain_steps=[1],
    )  # fmt: skip
    by = champion.origins["unique_id"].map(lambda name: factors.get(name, factors["rest"]))
    origins = champion.origins.assign(error=champion.origins["error"] * by)
    monkeypatch.setattr(engines, "_forecast", lambda *_: replace(fast, origins=origins))


@pytest.fixture(scope="module")
def champion() -> ForecastResult:
    """With windows enough to compare on, whatever the length of the history."""
    made = forecast(
        series()[["unique_id", "ds", "y"]], horizon=30, frequency="daily", explain_steps=[1]
    )
    one = made.origins.loc[made.origins["origin"] == made.origins["origin"].min()]
    weeks = [one.assign(origin=one["origin"] + pd.Timedelta(weeks=n)) for n in range(12)]
    more = [week.assign(error=week["error"] * (1 + 0.02 * (n % 3))) for n, week in enumerate(weeks)]
    return replace(made, origins=pd.concat(more, ignore_index=True))


def test_a_challenger_worse_for_one_team_is_held_back_with_the_reason(
    estate: Callable[..., Estate], champion: ForecastResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Better on average by a tenth and more, and one team pays for it."""
    planted(monkeypatch, champion, {"rest": 0.7, "team|EUR|c": 1.3})
    of = estate(challenger="fast")
    used = engines.in_use(of, DAY, series())
    document = engines.keep(of, DAY, used, champion, series())
    told = document["challenger"]
    assert told["what"] == "held_back"
    (reason,) = told["reasons"]
    assert reason.startswith("team c (EUR) is surely worse off by more than 5 %")
    assert told["figures"]["error_saved_share"] > 0.1
    used = engines.in_use(estate(1), DAY + timedelta(days=1), series(1))
    assert used.artefact == champion.artefact
    roles = {one["role"]: one for one in engine_rows(of, DAY)}
    assert roles["shadow"]["reasons"] == [reason] and roles["shadow"]["recipe"] == "fast"


def test_an_honest_challenger_is_promoted_and_forecasts_from_the_next_day(
    estate: Callable[..., Estate], champion: ForecastResult, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted(monkeypatch, champion, {"rest": 0.8})
    of = estate(challenger="fast")
    used = engines.in_use(of, DAY, series())
    told = engines.keep(of, DAY, used, champion, series())["challenger"]
    assert told["what"] == "promoted"
    used = engines.in_use(estate(1), DAY + timedelta(days=1), series(1))
    assert used.artefact is not None and name_of(used.artefact) == told["artefact"]
    assert used.recipe == "fast"
    # in Git it is the manifest that follows, and a pinned one does not
    event = wanted(engines.events(of), DAY, pinned=False)
    assert event is not None and event.artefact == told["artefact"]
    assert wanted(engines.events(of), DAY, pinned=True) is None
    # back to the one before: its exact bytes
    done = rolled_back(estate(1).settings, "", unpin=False, act=True)
    assert done["artefact"] == name_of(champion.artefact)
    used = engines.in_use(estate(2), DAY + timedelta(days=2), series(2))
    assert used.artefact == champion.artefact
    event = wanted(engines.events(of), DAY + timedelta(days=1), pinned=False)
    assert event is not None and event.what == "rolled_back"
