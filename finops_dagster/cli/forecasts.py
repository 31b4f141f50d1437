"""The command that lists what a day forecast, each beside its error on days unseen.

It reads what runs have kept and changes nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command
from finops_dagster.cli.lists import decided_day, print_abstained
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.defs.insight.explained import explanations
from finops_dagster.defs.insight.forecasted import BANDS, exactly, forecasted
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.money import to_decimal
from finops_dagster.report.data import BacktestRow
from finops_dagster.report.forecasts import Explained, SeriesForecast
from finops_dagster.report.format import share

_OURS = "ours"


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("forecasts")(forecasts_command)
    one = typer.Typer(help="One forecast.", no_args_is_help=True)
    one.command("explain")(explain_command)
    app.add_typer(one, name="forecast")


@command("forecasts")
def forecasts_command(
    scope: Annotated[
        str | None, typer.Option(help="Only series of this scope: total, team or service.")
    ] = None,
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """Cost of the days ahead with its intervals, and how far such forecasts were off."""
    day, store = decided_day(config, as_of)
    rows = [one for one in forecasted(store) if scope in (None, one.scope)]
    abstained = store.items("forecasts_abstained", Abstained)
    if as_json:
        record = store.document("forecast_record")
        shown = [_plain(one) for one in rows]
        print_json(envelope("forecasts", shown, as_of=day, abstained=abstained, model=record))
        return 0
    print_table(
        f"forecasts of {day.isoformat()}",
        ("scope", "series", "days", "expected cost", "error, share", "naive, share", "in 95 %"),
        [
            (
                one.scope,
                one.title,
                len(one.ahead),
                f"{one.expected:,.2f} {one.currency}",
                _error(one.tested(_OURS)),
                _error(one.tested("seasonal_naive")),
                _covered(one.tested(_OURS)),
            )
            for one in sorted(rows, key=lambda one: (one.currency, one.scope, -one.expected))
        ],
    )
    print_abstained(abstained)
    return 0


@command("forecast")
def explain_command(
    series: Annotated[str, typer.Argument(help="Its id, as `finops forecasts --json` lists it.")],
    step: Annotated[
        list[int] | None, typer.Option(min=1, help="Days ahead, from 1; may be given again.")
    ] = None,
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """Why a forecast says what it says: exact contributions, by the model that was kept."""
    day, store = decided_day(config, as_of)
    try:
        told = exactly(store, series, step or [1])
    except KeyError as error:
        hint = "`finops forecasts --json` lists ids such as team|USD|search."
        raise _unknown(f"No forecast of {series} was made for {day}.", hint) from error
    except ValueError as error:
        raise _unknown(f"{error}.", "Give a step within the days that are forecast.") from error
    if as_json:
        print_json(envelope("forecast", [_explained(one) for one in told], as_of=day))
        return 0
    if not told:
        typer.echo(f"{series} is too young for the model: it is forecast by its own last days.")
    for one in explanations(store, series, told):
        print_table(
            f"{series}, {one.subject}",
            ("what", "moves it by"),
            [
                ("it starts from", one.figure(one.base)),
                *((part.feature, one.figure(part.amount, signed=True)) for part in one.shown),
                ("expected", one.figure(one.prediction)),
            ],
        )
        typer.echo(one.words)
    return 0


def _unknown(message: str, hint: str) -> SettingsError:
    fault = Fault(code="unknown_forecast", expected="Expected a forecast of this day.", hint=hint)
    return SettingsError(message, (fault,))


def _explained(day: Explained) -> dict[str, Any]:
    return {
        "step": day.step,
        "mean": day.mean,
        "base": day.base,
        "contributions": {driver.feature: driver.contribution for driver in day.drivers},
    }


def _error(row: BacktestRow | None) -> str:
    return share(row.error_share, 1) if row is not None else "not known"


def _covered(row: BacktestRow | None) -> str:
    if row is None or row.coverage_95 is None:
        return "not known"
    return share(row.coverage_95)


def _plain(one: SeriesForecast) -> dict[str, Any]:
    return {
        "id": one.id,
        "scope": one.scope,
        "name": one.name,
        "currency": one.currency,
        "expected": to_decimal(one.expected, 2),
        "rung": one.rung,
        "reason": one.why,
        "days": [
            {"date": point.day, **{band: to_decimal(getattr(point, band), 6) for band in BANDS}}
            for point in one.ahead
        ],
        "backtest": [
            {
                "model": row.model,
                "error_share": row.error_share,
                "coverage_80": row.coverage_80,
                "coverage_95": row.coverage_95,
                "days": row.days,
            }
            for row in one.backtest
        ],
        "explained": [_explained(day) for day in one.explained],
    }
