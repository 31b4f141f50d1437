"""Commands that list incidents of cost, show one, and take what people say of it.

Answers go to the ledger, and count from the next day decided on.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command, settings_for
from finops_dagster.cli.lists import decided_day, one_of, print_abstained
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.alerting import EXPLAINED, keep_answer
from finops_dagster.domain.alerts import Alert, Answer, Opinion
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.incidents import Incident
from finops_dagster.report.format import money_brief, money_range
from finops_dagster.report.incidents import place
from finops_dagster.storage.days import DayStore

Note = Annotated[str, typer.Option(help="Why, for those who come after.")]
Id = Annotated[str, typer.Argument(help="Its id, or the beginning of it.")]


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("incidents")(incidents_command)
    one = typer.Typer(help="One incident: look at it, answer it.", no_args_is_help=True)
    one.command("show")(show_command)
    one.command("acknowledge")(acknowledge_command)
    one.command("useful")(useful_command)
    one.command("noise")(noise_command)
    app.add_typer(one, name="incident")


@command("incidents")
def incidents_command(config: Config = None, as_of: AsOf = None, as_json: AsJson = False) -> int:
    """Anomalies that share a cause, with their money, and who is told of them."""
    day, store = decided_day(config, as_of)
    items, explained = (store.items(name, Incident) for name in ("incidents", EXPLAINED))
    abstained = store.items("incidents_abstained", Abstained)
    alerts = {one.incident: one for one in store.items("alerts", Alert)}
    if as_json:
        shown, apart = (
            [_plain(item, alerts.get(item.id)) for item in some] for some in (items, explained)
        )
        print_json(envelope("incidents", shown, as_of=day, abstained=abstained, explained=apart))
        return 0
    print_table(
        f"incidents up to {day.isoformat()}",
        ("id", "since", "money", "cause", "told"),
        [
            (_short(i), i.since, money_brief(i.money), i.cause, _told(alerts.get(i.id)))
            for i in items
        ],
    )
    print_table(
        "explained: a known event, a commit or a commitment says that they would come",
        ("id", "since", "money", "by", "told"),
        [
            (
                _short(i), i.since, money_brief(i.money), i.explained.because,
                _told(alerts.get(i.id)),
            )
            for i in explained
            if i.explained is not None
        ],
    )  # fmt: skip
    print_abstained(abstained)
    return 0


@command("incident")
def show_command(
    incident: Id, config: Config = None, as_of: AsOf = None, as_json: AsJson = False
) -> int:
    """An incident: what, since when, how much, why, whose, what to do, and its page."""
    day, store = decided_day(config, as_of)
    item = _find(store, incident)
    alert = next((one for one in store.items("alerts", Alert) if one.incident == item.id), None)
    if as_json:
        print_json(envelope("incident", [_plain(item, alert)], as_of=day))
        return 0
    page = Estate(settings_for(config)).report_folder(day) / place(item)
    said = (
        ("what", item.cause),
        ("since", f"{item.since}, {'goes on' if item.ongoing else f'last seen {item.last_seen}'}"),
        ("how much", f"{item.money.amount:,.2f} {item.currency} beyond what was usual"),
        ("a month", money_range(item.saving_per_month) if item.ongoing else "nothing: it is over"),
        ("owner", item.owner or "unknown"),
        ("told", _told(alert)),
        ("explained", item.explained.because if item.explained else "no"),
        ("what to do", item.what_to_do),
        ("page", page),
    )
    print_table(item.id, ("", "incident"), said)
    return 0


@command("incident")
def acknowledge_command(
    incident: Id,
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Last day that it holds for.")
    ] = None,
    note: Note = "",
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """Say that it is known and in hand: nobody is told of it again."""
    last = until.date() if until is not None else None
    return _answer(incident, Opinion.ACKNOWLEDGED, note, config, as_of, as_json, until=last)


@command("incident")
def useful_command(
    incident: Id,
    note: Note = "",
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """Say that it was worth being told: its costs are watched a little more closely."""
    return _answer(incident, Opinion.USEFUL, note, config, as_of, as_json)


@command("incident")
def noise_command(
    incident: Id,
    note: Note = "",
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """Say that it was not worth being told: its costs are watched a little less closely."""
    return _answer(incident, Opinion.NOISE, note, config, as_of, as_json)


def _answer(
    incident: str, opinion: Opinion, note: str, config: Any, as_of: Any, as_json: bool, **more: Any
) -> int:
    day, store = decided_day(config, as_of)
    item = _find(store, incident)
    alerts = {one.incident: one for one in store.items("alerts", Alert)}
    estate = Estate(settings_for(config))
    said = Answer(
        incident=item.id,
        opinion=opinion,
        parts=alerts[item.id].parts,
        note=note,
        said_at=estate.now(),
        **more,
    )
    keep_answer(estate, said)
    if as_json:
        print_json(envelope("incident", [said], as_of=day))
        return 0
    typer.echo(f"{item.id}: {opinion.value}. It counts for {said.said_at:%Y-%m-%d} and later days.")
    return 0


def _find(store: DayStore, wanted: str) -> Incident:
    """The one incident whose id begins so, explained or not. Raises SettingsError."""
    items = [*store.items("incidents", Incident), *store.items(EXPLAINED, Incident)]
    found: Incident = one_of(items, wanted, "incident")
    return found


def _short(item: Incident) -> str:
    """As much of an id as tells incidents apart, and all that commands ask for."""
    return item.id.removeprefix("incident-")[:8]


def _told(alert: Alert | None) -> str:
    if alert is None:
        return "not known"
    return "yes" if alert.held is None else f"no: {alert.because}"


def _plain(item: Incident, alert: Alert | None) -> dict[str, Any]:
    return {
        "id": item.id,
        **item.model_dump(mode="json"),
        "alert": alert.model_dump(mode="json") if alert is not None else None,
    }
