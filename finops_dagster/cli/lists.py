"""Commands that list what was measured, opened and published.

They read what runs have kept and change nothing, save `pr merge` and `pr close`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Annotated, Any

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command, day_of, settings_for
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import Abstained
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.pull_requests import PullRequest, PullRequestState
from finops_dagster.report.format import money_range, quantity
from finops_dagster.storage.days import DayStore

_TABLE_ROWS = 50


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    app.command("telemetry-anomalies")(telemetry_anomalies_command)
    app.command("marts")(marts_command)
    app.command("prs")(prs_command)
    pulls = typer.Typer(help="One pull request.", no_args_is_help=True)
    pulls.command("show")(show_command)
    pulls.command("merge")(merge_command)
    pulls.command("close")(close_command)
    app.add_typer(pulls, name="pr")


def decided_day(config: Any, as_of: Any) -> tuple[date, DayStore]:
    """The day a command is about and what it has kept. Raises SettingsError if undecided."""
    settings = settings_for(config)
    day = day_of(settings, as_of)
    store = Estate(settings).decided(day)
    if store is None:
        raise SettingsError(
            f"{day.isoformat()} has not been decided.",
            (
                Fault(
                    code="not_decided",
                    expected=f"Expected a decision for {day.isoformat()}, found none.",
                    hint=f"Run `finops run --as-of {day.isoformat()}` first.",
                ),
            ),
        )
    return day, store


def one_of(items: Iterable[Any], wanted: str, what: str) -> Any:
    """The one item whose id begins so, with or without `what-` before. Raises SettingsError."""
    found = [one for one in items if one.id.startswith((wanted, f"{what}-{wanted}"))]
    if len(found) == 1:
        return found[0]
    raise SettingsError(
        f"{len(found) or 'No'} {what}s have an id that begins with {wanted}.",
        (
            Fault(
                code=f"unknown_{what}",
                expected=f"Expected the id of one {what} of this day, or a beginning only it has.",
                hint=f"`finops {what}s` lists them.",
            ),
        ),
    )


def print_abstained(abstained: list[Abstained]) -> None:
    """What could not be judged, and why, where there is any."""
    if abstained:
        print_table(
            "not judged, and why",
            ("subject", "reason"),
            [(one.subject, one.reason) for one in abstained],
        )


@command("telemetry_anomalies")
def telemetry_anomalies_command(
    config: Config = None, as_of: AsOf = None, as_json: AsJson = False
) -> int:
    """Hours of workloads and grids that are far out, or were never seen before."""
    day, store = decided_day(config, as_of)
    found = store.frame("telemetry_anomalies")
    items = [] if found is None else found.to_dict("records")
    abstained = store.items("telemetry_anomalies_abstained", Abstained)
    if as_json:
        print_json(envelope("telemetry_anomalies", items, as_of=day, abstained=abstained))
        return 0
    print_table(
        f"telemetry anomalies of {day.isoformat()}",
        ("class", "series", "owner", "from", "why", "value", "expected", "unit"),
        [
            (
                i["class"], i["series"], i["owner"], i["from"].to_pydatetime(), i["why"],
                quantity(i["value"], ""), quantity(i["expected"], ""), i["unit"],
            )
            for i in items
        ],
    )  # fmt: skip
    print_abstained(abstained)
    return 0


@command("marts")
def marts_command(
    name: Annotated[str, typer.Argument(help="Name of a published mart.")],
    where: Annotated[
        str | None, typer.Option("--where", help="SQL condition over the mart's columns.")
    ] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0, help="Rows at most; 0 is all. Without it a table has 50 and JSON has all."
        ),
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Rows of a published mart, from the publication in force."""
    settings = settings_for(config)
    estate = Estate(settings)
    stores = [(store, store.current()) for store in (estate.publications, estate.recorded)]
    held = [(store, found) for store, found in stores if found is not None]
    store, manifest = next(
        ((store, found) for store, found in held if found.of(name)), (None, None)
    )
    if store is None or manifest is None:
        known = sorted({version.mart for _, found in held for version in found.versions})
        raise SettingsError(
            f"No mart {name} is published.",
            (
                Fault(
                    code="unknown_mart",
                    expected=f"Expected one of: {', '.join(known) or 'none yet'}.",
                    hint="Run `finops run` to publish, or choose one of these.",
                ),
            ),
        )
    if limit is None:
        limit = 0 if as_json else _TABLE_ROWS
    # One row more than is shown tells whether there are more.
    frame = store.reader(manifest).rows(name, where, limit + 1 if limit else 0)
    cut = bool(limit) and len(frame) > limit
    records = frame.head(limit if cut else len(frame)).to_dict("records")
    if as_json:
        answer = envelope(
            "marts",
            records,
            as_of=settings.decided_day(),
            publication_id=manifest.id,
            truncated=cut,
        )
        print_json(answer)
        return 0
    print_table(name, list(frame.columns), [list(r.values()) for r in records])
    if cut:
        typer.echo(f"Only the first {limit} rows: --limit 0 shows all.", err=True)
    return 0


@command("prs")
def prs_command(
    state: Annotated[
        PullRequestState | None, typer.Option(help="Only those in this state.")
    ] = None,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Every pull request of the desired-state repository that this product opened."""
    settings = settings_for(config)
    items = list(Estate(settings).forge().pull_requests(state))
    if as_json:
        print_json(envelope("prs", [_pull(item) for item in items], as_of=settings.decided_day()))
        return 0
    print_table(
        "pull requests",
        ("number", "state", "opened", "title", "files", "saving per month", "verdict"),
        [
            (
                item.number,
                item.state.value,
                f"{item.opened_at:%Y-%m-%d}" if item.opened_at is not None else "–",
                item.title,
                ", ".join(file.path for file in item.files),
                money_range(item.saving_per_month),
                item.verdict.value,
            )
            for item in items
        ],
    )
    return 0


def _pull(item: PullRequest, *, diff: str | None = None) -> dict[str, Any]:
    plain = item.model_dump(mode="json")
    if diff is None:
        plain.pop("body")
    else:
        plain["diff"] = diff
    return plain


def _find(config: Any, number: int) -> tuple[date, Any, PullRequest]:
    settings = settings_for(config)
    forge = Estate(settings).forge()
    for item in forge.pull_requests():
        if item.number == number:
            return settings.decided_day(), forge, item
    raise SettingsError(
        f"There is no pull request {number}.",
        (
            Fault(
                code="unknown_pull_request",
                expected="Expected the number of one this product opened.",
                hint="`finops prs` lists them.",
            ),
        ),
    )


@command("pr")
def show_command(number: int, config: Config = None, as_json: AsJson = False) -> int:
    """A pull request with its body and its diff."""
    day, forge, item = _find(config, number)
    diff = forge.diff(number)
    if as_json:
        print_json(envelope("pr", [_pull(item, diff=diff)], as_of=day))
    else:
        typer.echo(f"#{item.number} {item.title} ({item.state.value})\n{item.url}\n")
        typer.echo(f"{item.body}\n\n{diff}")
    return 0


@command("pr")
def merge_command(number: int, config: Config = None, as_json: AsJson = False) -> int:
    """Merge a pull request into its target branch."""
    day, forge, _ = _find(config, number)
    return _report(day, forge, forge.merge(number), as_json)


@command("pr")
def close_command(number: int, config: Config = None, as_json: AsJson = False) -> int:
    """Reject a pull request: its changes are not proposed again during the cool-off."""
    day, forge, _ = _find(config, number)
    return _report(day, forge, forge.close(number, PullRequestState.REJECTED), as_json)


def _report(day: date, forge: Any, item: PullRequest, as_json: bool) -> int:
    if as_json:
        print_json(envelope("pr", [_pull(item, diff=forge.diff(item.number))], as_of=day))
    else:
        typer.echo(f"#{item.number} {item.title}: {item.state.value}")
    return 0
