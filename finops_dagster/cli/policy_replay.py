"""`finops policy replay`: what another policy would have said of the days that are kept.

What is judged and compared lives in defs and policy; nothing is written here but the answer.
"""

from __future__ import annotations

import sys
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from finops_dagster.cli.common import AsJson, Config, command, settings_for
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.domain.errors import SettingsError
from finops_dagster.report.format import money_range


class Manifests(StrEnum):
    """Of which days the desired state is judged as well."""

    LAST = "last"
    EVERY = "every"


@command("policy_replay")
def policy_replay(
    since: Annotated[
        datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First day, YYYY-MM-DD.")
    ],
    until: Annotated[
        datetime, typer.Option("--to", formats=["%Y-%m-%d"], help="Last day, YYYY-MM-DD.")
    ],
    bundle: Annotated[
        Path | None,
        typer.Option(help="Policy bundle to try; without it the one in force is tried."),
    ] = None,
    manifests: Annotated[
        Manifests, typer.Option(help="Days whose desired state is judged: last or every.")
    ] = Manifests.LAST,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Judge history by a changed policy: what it would have blocked, and let through."""
    from finops_dagster.defs.decision.judging import replay
    from finops_dagster.defs.estate import Estate
    from finops_dagster.policy.bundle import RegoBundle
    from finops_dagster.policy.judges import RegorusJudge
    from finops_dagster.policy.replay import reaches, totals

    first, last = since.date(), until.date()
    if last < first:
        raise SettingsError(f"--to {last} is before --from {first}")
    settings = settings_for(config)
    estate = Estate(settings)
    other = RegorusJudge(RegoBundle.load(bundle)) if bundle is not None else None
    history = replay(
        estate,
        first,
        last,
        other,
        manifests is Manifests.EVERY,
        lambda text: _say(f"  {text}"),
    )
    changes, reach = totals(history.items), reaches(history.items)
    if as_json:
        print_json(
            envelope(
                "policy_replay",
                history.items,
                as_of=settings.decided_day(),
                abstained=history.abstained,
                bundles={
                    "before": estate.judge.bundle if other is not None else "as decided",
                    "after": other.bundle if other is not None else estate.judge.bundle,
                },
                totals=changes,
                reach=reach,
                manifests=history.manifests,
            )
        )
        return 0
    print_table(
        f"proposals of {first} to {last} that are judged otherwise",
        ("day", "resource", "kind", "before", "after", "rules", "outcome", "saving"),
        [
            (
                one.day,
                one.resource,
                one.kind,
                f"{one.before.decision}, {one.before.rung}",
                f"{one.after.decision}, {one.after.rung}",
                ", ".join(
                    [
                        *(f"+{rule}" for rule in one.rules_added),
                        *(f"-{rule}" for rule in one.rules_dropped),
                    ]
                ),
                one.outcome.value if one.outcome else "",
                money_range(one.saving_per_month),
            )
            for one in history.items
            if one.before != one.after or one.rules_added or one.rules_dropped
        ],
    )
    for title, rows in (
        ("changes, each once", changes),
        ("against what people did", reach),
    ):
        print_table(
            title,
            ("what", "changes", "saving", "currency"),
            [(one.what, one.changes, f"{one.saving_per_month:.2f}", one.currency) for one in rows],
        )
    print_table(
        "manifests",
        ("day", "resource", "change", "rule", "decision", "actual", "limit"),
        [
            (one.day, one.resource, one.change, one.title, one.decision, one.actual, one.limit)
            for one in history.manifests
        ],
    )
    if history.abstained:
        print_table(
            "not judged",
            ("what", "reason"),
            [(one.subject, one.reason) for one in history.abstained],
        )
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
