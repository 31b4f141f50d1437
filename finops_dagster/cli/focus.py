"""Commands about FOCUS files as such: they need no project.

What the rules mean is in `quality.conformance`; reading files in `sources`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from finops_dagster.cli.common import AsJson, command
from finops_dagster.cli.output import console, envelope, print_faults, print_json, print_table
from finops_dagster.defs.landing.conforming import judge_files
from finops_dagster.domain.errors import Fault, SettingsError
from finops_dagster.quality.conformance import Example, Options, load_model


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    focus = typer.Typer(help="FOCUS files, held against the specification.", no_args_is_help=True)
    focus.callback()(_group)
    focus.command("check")(focus_check)
    app.add_typer(focus, name="focus")


def _group() -> None:
    """Keep the group's own name where it has a single command."""


@command("focus_check")
def focus_check(
    path: Annotated[Path, typer.Argument(help="FOCUS file, or a folder of its parts.")],
    rules: Annotated[
        Path, typer.Option(help="Rule model of the specification: model-VERSION.json.")
    ],
    allow: Annotated[
        list[str] | None,
        typer.Option(help="RULE=REASON: this rule may fail. May be given again."),
    ] = None,
    supports: Annotated[
        list[str] | None,
        typer.Option(help="CRITERION, or CRITERION=no: what the provider supports."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report as a page to here.")] = None,
    as_json: AsJson = False,
) -> int:
    """Judge a FOCUS file by the specification's rules; exit code 1 if a MUST fails."""
    options = Options(
        allowed=dict(_allowed(one) for one in allow or []),
        supports=dict(_supported(one) for one in supports or []),
    )
    report, faults = judge_files(path, load_model(rules), options)
    if html is not None:
        html.write_text(report.html(), encoding="utf-8")
    if as_json:
        print_json(
            envelope(
                "focus_check",
                [one.item() for one in report.verdicts],
                errors=faults,
                subject=report.subject,
                model=report.model,
                dataset=report.dataset,
                rows=report.rows,
                counts=report.counts,
                supported=[vars(one) for one in report.supported],
            )
        )
        return 0 if report.conforms else 1
    print_table(
        f"{report.subject} by FOCUS {report.model}",
        ("rule", "keyword", "rows", "text", "seen"),
        [
            (
                one.rule,
                one.keyword if one.verdict == "fail" else "allowed",
                one.rows,
                one.text,
                " ".join(filter(None, (one.reason, *map(_shown, one.examples[:1])))),
            )
            for one in (*report.of("fail"), *report.of("allowed"))
            if one.function != "Composite"
        ],
    )
    told = ", ".join(f"{count} {name}" for name, count in report.counts.items())
    console().print(f"{report.rows:,} rows, {len(report.verdicts)} rules: {told}.", markup=False)
    if faults:
        print_faults("Not everything could be read", faults)
    return 0 if report.conforms else 1


def _shown(example: Example) -> str:
    values = ", ".join(f"{name} {value or '(null)'}" for name, value in example.values.items())
    return f"Row {example.row}: {values}"


def _allowed(text: str) -> tuple[str, str]:
    rule, equals, reason = text.partition("=")
    if not (equals and rule.strip() and reason.strip()):
        raise _usage("--allow", "RULE=REASON", text)
    return rule.strip(), reason.strip()


def _supported(text: str) -> tuple[str, bool]:
    criterion, _, answer = text.partition("=")
    if answer.strip().lower() not in ("", "yes", "no"):
        raise _usage("--supports", "CRITERION, CRITERION=yes or CRITERION=no", text)
    return criterion.strip(), answer.strip().lower() != "no"


def _usage(option: str, expected: str, found: str) -> SettingsError:
    fault = Fault(
        code="bad_option",
        column=option,
        expected=f"Expected {expected}, found {found!r}.",
        hint="Write it so, in quotes if the reason has blanks.",
    )
    return SettingsError(f"{option} cannot be used", (fault,))
