"""`finops ai card`: model cards of our own engines, and what changed since the last decided day.

It reads what a run has kept and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command, day_of, settings_for
from finops_dagster.cli.output import envelope, plain, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.insight.models.cards import changed, kept_cards, last_cards
from finops_dagster.domain.errors import Fault, SettingsError

if TYPE_CHECKING:
    from finops_dagster.responsible_ai.cards.card import Card
    from finops_dagster.responsible_ai.cards.diff import CardDiff


@command("ai_card")
def ai_card(
    name: Annotated[
        str | None, typer.Argument(help="An engine, such as cost-forecaster; without it, all.")
    ] = None,
    differing: Annotated[
        bool, typer.Option("--diff", help="What changed since the last decided day, alone.")
    ] = False,
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """What our own engines are, what they were made of and how good they were on a day."""
    settings = settings_for(config)
    estate, day = Estate(settings), day_of(settings, as_of)
    store = estate.decided(day)
    cards = kept_cards(store) if store is not None else []
    if not cards:
        raise _unknown(f"{day} has no model cards.", "Run `finops run`, or choose a decided day.")
    changes = changed(cards, last_cards(estate, day))
    if name is not None:
        names = ", ".join(one.name for one in cards)
        cards = [one for one in cards if one.name == name]
        if not cards:
            raise _unknown(f"There is no engine {name}.", f"Choose one of: {names}.")
    if as_json:
        items = [_item(one, changes.get(one.name), differing) for one in cards]
        print_json(envelope("ai_card", items, as_of=day))
    elif differing:
        _show_changes([changes[one.name] for one in cards if one.name in changes])
    elif name is None:
        _show_all(cards, changes)
    else:
        _show(cards[0], changes.get(cards[0].name))
    return 0


def _unknown(message: str, hint: str) -> SettingsError:
    fault = Fault(code="unknown_card", expected="Expected an engine of a decided day.", hint=hint)
    return SettingsError(message, (fault,))


def _item(card: Card, diff: CardDiff | None, differing: bool) -> dict[str, Any]:
    told = plain(diff) if diff is not None else None
    if differing:
        return {"name": card.name, "hash": card.hash, "diff": told}
    return {**plain(card), "hash": card.hash, "page": card.page, "diff": told}


def _show_all(cards: Sequence[Card], changes: dict[str, CardDiff]) -> None:
    print_table(
        f"model cards of {cards[0].as_of}",
        ("name", "kind", "version", "code", "changes", "better", "worse", "card"),
        [
            (
                one.name,
                one.kind,
                one.version,
                one.code_version,
                *_counted(changes.get(one.name)),
                one.hash,
            )
            for one in cards
        ],
    )


def _counted(diff: CardDiff | None) -> tuple[object, object, object]:
    if diff is None:
        return "first card", None, None
    return len(diff.changes), diff.counted("better"), diff.counted("worse")


def _show(card: Card, diff: CardDiff | None) -> None:
    from finops_dagster.responsible_ai.cards.card import METRICS
    from finops_dagster.responsible_ai.cards.pages import figure

    data = card.data
    window = f"{data.first} to {data.last}" if data.first else card.data_missing or "not known"
    training = card.training
    kwh = f"{training.energy_kwh:.3g} kWh" if training.energy_kwh is not None else "not known"
    print_table(
        f"{card.title}, {card.as_of}",
        ("what", "says"),
        [
            ("purpose", card.purpose),
            ("method", card.method),
            ("version", card.version),
            ("code", card.code_version),
            ("data", window),
            ("rows", data.rows),
            ("data hash", data.hash),
            ("licence of data", card.data_licence),
            ("energy of training", f"{kwh}: {training.method}"),
            *(("limit", one) for one in card.limits),
            *(("not measured", one) for one in card.not_measured),
            ("card", card.hash),
        ],
    )
    print_table(
        "figures",
        ("segment", "cases", "figure", "value"),
        [
            (one.segment, one.cases, METRICS[key].words if key in METRICS else key,
             figure(key, value))
            for one in card.metrics
            for key, value in one.values.items()
        ],
    )  # fmt: skip
    _show_changes([diff] if diff is not None else [])


def _show_changes(diffs: Sequence[CardDiff]) -> None:
    if not diffs:
        typer.echo("No earlier day has a card to compare with.")
        return
    print_table(
        f"what changed since {min(one.before for one in diffs)}",
        ("name", "part", "what", "before", "now", "verdict"),
        [
            (diff.name, one.part, one.what, one.before, one.after, one.verdict)
            for diff in diffs
            for one in diff.changes
        ],
    )
