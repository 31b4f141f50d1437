"""Commands that list findings and proposals of a day, and show one finding with all it says.

They read what runs have kept and change nothing.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command
from finops_dagster.cli.lists import decided_day, one_of, print_abstained
from finops_dagster.cli.output import console, envelope, print_json, print_table
from finops_dagster.domain.decisions import Abstained, Finding, Proposal
from finops_dagster.report.format import money_range, quantity


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("findings")(findings_command)
    app.command("proposals")(proposals_command)
    one = typer.Typer(help="One finding.", no_args_is_help=True)
    one.command("show")(show_command)
    app.add_typer(one, name="finding")


def _decided(name: str, config: Any, as_of: Any, type_: Any) -> tuple[Any, Any, Any]:
    day, store = decided_day(config, as_of)
    return day, store.items(name, type_), store.items(f"{name}_abstained", Abstained)


@command("findings")
def findings_command(config: Config = None, as_of: AsOf = None, as_json: AsJson = False) -> int:
    """Facts worth acting on, with their evidence."""
    day, items, abstained = _decided("findings", config, as_of, Finding)
    _print_decided("findings", day, items, abstained, as_json)
    return 0


@command("proposals")
def proposals_command(config: Config = None, as_of: AsOf = None, as_json: AsJson = False) -> int:
    """Intended changes with their saving, and why the rest is not proposed."""
    day, items, abstained = _decided("proposals", config, as_of, Proposal)
    _print_decided("proposals", day, items, abstained, as_json)
    return 0


@command("finding")
def show_command(
    finding: Annotated[str, typer.Argument(help="Its id, or the beginning of it.")],
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """A finding: what, whose, how much, on which evidence, what to change, what would undo it."""
    day, store = decided_day(config, as_of)
    item: Finding = one_of(store.items("findings", Finding), finding, "finding")
    made = [one for one in store.items("proposals", Proposal) if one.finding_id == item.id]
    otherwise = made[0].counterfactual if made else item.counterfactual
    if as_json:
        told = {**_plain(item), "counterfactual": list(otherwise)}
        print_json(envelope("finding", [told], as_of=day))
        return 0
    window = item.evidence
    said = (
        ("what", f"{item.kind.value} of {item.resource}"),
        ("why", item.reason),
        ("a month", money_range(item.saving_per_month)),
        ("owner", item.owner or "unknown"),
        ("environment", item.environment),
        ("change", f"{item.field}: {item.current} -> {item.proposed}" if item.proposed else "none"),
        ("risk", f"{item.risk:.1%}"),
        ("wrong if", item.wrong_if or "see its page in the documentation"),
        *(("not proposed if", one) for one in otherwise),
        ("measured", f"{item.confidence:.0%} of {window.window_start:%Y-%m-%d} to "
                     f"{window.window_end:%Y-%m-%d}, {window.samples} samples"),
        *((name, quantity(value, "")) for name, value in window.figures.items()),
        ("by", item.engine),
    )  # fmt: skip
    print_table(item.id, ("", "finding"), said)
    if item.suggestion:
        console().print(item.suggestion, markup=False, highlight=False, soft_wrap=True)
    return 0


def _print_decided(
    name: str,
    day: Any,
    items: list[Finding] | list[Proposal],
    abstained: list[Abstained],
    as_json: bool,
) -> None:
    if as_json:
        shown = [_plain(item) for item in items]
        print_json(envelope(name, shown, as_of=day, abstained=abstained))
        return
    print_table(
        f"{name} for {day.isoformat()}",
        ("id", "kind", "resource", "owner", "change", "saving per month", "risk"),
        [
            (
                item.id.partition("-")[2][:8],
                item.kind.value,
                item.resource,
                item.owner,
                f"{item.current} -> {item.proposed}" if item.proposed else "",
                money_range(item.saving_per_month),
                f"{item.risk:.1%}",
            )
            for item in items
        ],
    )
    print_abstained(abstained)


def _plain(item: Finding | Proposal) -> dict[str, Any]:
    return {"id": item.id, **item.model_dump(mode="json")}
