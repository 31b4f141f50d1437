"""`finops diff`: cost, carbon and policy of the change between two commits, for people and pull
requests.

What a change costs is gathered in defs; here it is printed.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finops_dagster.cli.common import AsJson, AsOf, Config, command, day_of, settings_for
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.domain.money import MoneyRange, Range

if TYPE_CHECKING:
    from finops_dagster.defs.change_cost import ChangeCost, ChangeItem
    from finops_dagster.domain.violations import Violation
    from finops_dagster.settings import Settings

TOPIC = "cost"
"""Of the one comment that is written and replaced."""
_SHOWN = 50
_STOPS = {
    "deny": (Decision.DENY,),
    "needs_approval": (Decision.DENY, Decision.NEEDS_APPROVAL),
    "never": (),
}


class FailOn(StrEnum):
    """From which verdict on the exit code is 1."""

    DENY = "deny"
    NEEDS_APPROVAL = "needs_approval"
    NEVER = "never"


def register(app: typer.Typer) -> None:
    """Add this command to `app`."""
    app.command("diff")(diff_command)


@command("diff")
def diff_command(
    span: Annotated[
        str,
        typer.Argument(
            metavar="BASE..HEAD", help="Two commits; BASE.. is the working tree, ... a merge base."
        ),
    ],
    repo: Annotated[
        Path | None, typer.Option(help="Local repository; without it the settings' own.")
    ] = None,
    comment: Annotated[
        int | None,
        typer.Option(min=1, help="Number of a pull request to write it on, once."),
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="Exit code 1 from this verdict on.")
    ] = FailOn.DENY,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print what a comment would say.")
    ] = False,
    config: Config = None,
    as_of: AsOf = None,
    as_json: AsJson = False,
) -> int:
    """What a change of the desired state costs a month, emits, and breaks."""
    from finops_dagster.defs.change_cost import change_cost
    from finops_dagster.defs.estate import Estate

    settings = settings_for(config)
    estate, day = Estate(settings), day_of(settings, as_of)
    found = change_cost(estate, repo or _repository(settings), span, day)
    if comment is not None:
        estate.forge().comment(comment, TOPIC, markdown(found))
        sys.stderr.write(f"written on pull request {comment}\n")
    if as_json:
        print_json(
            envelope(
                "diff",
                found.items,
                as_of=day,
                abstained=found.abstained,
                base=found.base,
                head=found.head,
                decision=found.decision.value,
                cost_per_month=list(found.cost_per_month.values()),
                carbon_kg_per_month=found.carbon_kg_per_month,
                unknown=found.unknown,
                violations_added=found.violations_added,
                violations_mended=found.violations_mended,
                publication_id=found.publication_id,
            )
        )
    elif as_markdown:
        typer.echo(markdown(found))
    else:
        _show(found, span)
    return 1 if found.decision in _STOPS[fail_on.value] else 0


def _repository(settings: Settings) -> Path:
    desired = settings.desired_state
    if desired is None or desired.forge != "local":
        raise SettingsError(
            "Which repository is meant?",
            (
                Fault(
                    code="no_repository",
                    expected="The settings name no desired state on this disk.",
                    hint="Give a clone of it with --repo.",
                ),
            ),
        )
    return Path(desired.repository)


def markdown(found: ChangeCost) -> str:
    """The change as a comment: totals, a table of its largest parts, what it breaks and mends."""
    from finops_dagster.gitops.escaping import code, prose

    lines = [f"**{prose(_headline(found))}**", ""]
    if found.items:
        lines += [
            "| Resource | Change | Cost a month | Carbon a month | Policy | Why |",
            "|---|---|---:|---:|---|---|",
        ]
        for one in _largest(found)[:_SHOWN]:
            change = one.change
            if one.field:
                before, after = (
                    code(text or "", 60, cell=True) for text in (one.before, one.after)
                )
                change = f"{code(one.field, 120, cell=True)}: {before} → {after}"
            cells = (
                code(one.resource, 120, cell=True),
                change,
                code(_money(one.cost_per_month), 120, cell=True),
                _kilograms(one.carbon_kg_per_month),
                one.verdict.value if one.verdict else "",
                prose(one.reason, 200),
            )
            lines.append(f"| {' | '.join(cells)} |")
        if len(found.items) > _SHOWN:
            lines.append(f"\nThe {len(found.items) - _SHOWN} smallest of them are left out.")
    for title, violations in (
        ("Breaks", found.violations_added),
        ("Mends", found.violations_mended),
    ):
        if violations:
            lines += ["", f"**{title} {len(violations)}**", ""]
            lines += [_violation(one) for one in violations[:_SHOWN]]
            if len(violations) > _SHOWN:
                lines.append(f"- and {len(violations) - _SHOWN} more")
    lines += [
        "",
        f"Rates really paid and use as measured, of publication {code(found.publication_id)}; "
        "ranges are of 95 %.",
    ]
    return "\n".join(lines)


def _violation(one: Violation) -> str:
    from finops_dagster.gitops.escaping import code, prose

    said = f"{prose(one.title)} ({code(one.rule_id)}, {one.decision.value})"
    values = f"{prose(one.actual)}, where {prose(one.limit)} is asked for"
    return f"- {code(one.resource)}: {said}: {values}. {prose(one.fix)}"


def _show(found: ChangeCost, span: str) -> None:
    print_table(
        f"{span}: {_headline(found)}",
        ("resource", "change", "before", "after", "cost", "kg", "policy", "why"),
        [
            (
                one.resource,
                one.field or one.change,
                one.before,
                one.after,
                _money(one.cost_per_month),
                _kilograms(one.carbon_kg_per_month),
                one.verdict.value if one.verdict else "",
                one.reason,
            )
            for one in _largest(found)
        ],
    )
    for title, violations in (
        ("breaks", found.violations_added),
        ("mends", found.violations_mended),
    ):
        if violations:
            print_table(
                title,
                ("resource", "rule", "decision", "actual", "limit", "what to do"),
                [
                    (one.resource, one.title, one.decision.value, one.actual, one.limit, one.fix)
                    for one in violations
                ],
            )
    if found.abstained:
        rows = [(one.subject, one.reason) for one in found.abstained]
        print_table("not judged", ("what", "reason"), rows)


def _headline(found: ChangeCost) -> str:
    """Totals by currency, what is not known, and what policy says."""
    if not found.items:
        money = "No size changes"
    elif not found.cost_per_month:
        money = "What it costs is not known"
    else:
        money = ", ".join(_money(one) for one in found.cost_per_month.values()) + " a month"
    parts = [money]
    if found.carbon_kg_per_month is not None:
        parts.append(f"{_kilograms(found.carbon_kg_per_month)} kg of CO2e a month")
    if found.unknown:
        parts.append(f"{found.unknown} of {len(found.items)} changes without a known cost")
    parts.append(f"policy: {found.decision.value}")
    return "; ".join(parts)


def _largest(found: ChangeCost) -> list[ChangeItem]:
    """What moves most money first, what is not known before what is nothing."""

    def size(one: ChangeItem) -> tuple[int, float]:
        cost = one.cost_per_month
        if cost is None:
            return 1, 0.0
        return (0 if cost.mid else 2), -abs(float(cost.mid))

    return sorted(found.items, key=size)


def _money(cost: MoneyRange | None) -> str:
    if cost is None:
        return "not known"
    if cost.low == cost.high:
        return f"{cost.mid:+,.2f} {cost.currency}"
    return f"{cost.mid:+,.2f} {cost.currency} ({cost.low:+,.2f} to {cost.high:+,.2f})"


def _kilograms(carbon: Range | None) -> str:
    return "not known" if carbon is None else f"{carbon.mid:+,.2f}"
