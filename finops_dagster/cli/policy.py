"""Commands that ask policy of files that somebody wrote, and that hand policies on.

Rules are Rego; how they are asked is the business of the package policy.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from finops_dagster.cli.common import AsJson, Config, command
from finops_dagster.cli.output import console, envelope, print_json, print_table
from finops_dagster.cli.policy_replay import policy_replay
from finops_dagster.defs.estate import POLICIES, Estate
from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.errors import SettingsError
from finops_dagster.settings import find_config, load

if TYPE_CHECKING:
    from finops_dagster.policy.beside import JointJudge
    from finops_dagster.policy.check import CheckReport

_PATIENCE_SECONDS = 2.0
"""From when on, and how often, a person is told how far it is."""


_SAID = {
    Decision.DENY: "denied",
    Decision.NEEDS_APPROVAL: "needs approval",
    Decision.ALLOW: "allowed",
}


class FailOn(StrEnum):
    """From which verdict on the exit code is 1."""

    DENY = "deny"
    NEEDS_APPROVAL = "needs_approval"
    NEVER = "never"


class ExportFormat(StrEnum):
    """What others load policies as."""

    GATEKEEPER = "gatekeeper"
    OPA_BUNDLE = "opa-bundle"


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    policy = typer.Typer(help="Policies written in Rego.", no_args_is_help=True)
    policy.command("check")(policy_check)
    policy.command("export")(policy_export)
    policy.command("replay")(policy_replay)
    app.add_typer(policy, name="policy")


@command("policy_check")
def policy_check(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH",
            help="Manifests, folders, repositories, plan JSON; - is standard input.",
        ),
    ],
    bundle: Annotated[
        Path | None, typer.Option(help="Policy bundle, in place of the settings' or the shipped.")
    ] = None,
    beside: Annotated[
        list[Path] | None,
        typer.Option(help="Other people's Rego, asked as well; may be given several times."),
    ] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="YAML or JSON that --beside gets as input.parameters.")
    ] = None,
    fail_on: Annotated[
        FailOn, typer.Option(help="From which verdict on the exit code is 1.")
    ] = FailOn.DENY,
    config: Config = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="json or sarif; without it a table.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Judge manifests by policy; exit code 1 if one is denied."""
    from finops_dagster.cli.policy_files import declared_by, files_to_check, kustomizations_of
    from finops_dagster.policy.check import check_files

    if format_ not in {None, "json", "sarif"}:
        raise SettingsError(f"--format is json or sarif, not {format_}")
    judge = _judge(config, bundle, beside or [], parameters)
    with files_to_check(paths) as (files, roots):
        report = check_files(
            files,
            judge,
            declared_by(files, roots),
            around=[one for root in roots for one in kustomizations_of(root)],
            progress=_progress("resources judged"),
        )
    if format_ == "sarif":
        from importlib.metadata import version

        from finops_dagster.policy.sarif import sarif

        base = _base(paths)
        print_json(sarif(report, judge.policies.rules, version("finops-dagster"), base))
    elif as_json or format_ == "json":
        print_json(
            envelope(
                "policy_check",
                report.items,
                bundle=report.bundle,
                refused=report.refused,
                passed_over=report.passed_over,
            )
        )
    else:
        _show(report)
    if fail_on is FailOn.NEVER:
        return 0
    failing = {Decision.DENY}
    if fail_on is FailOn.NEEDS_APPROVAL:
        failing.add(Decision.NEEDS_APPROVAL)
    return 1 if any(report.count(decision) for decision in failing) else 0


@command("policy_export")
def policy_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to write.")],
    format_: Annotated[ExportFormat, typer.Option("--format", help="What others load it as.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Policy bundle, in place of the settings' or the shipped.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Write into a folder that holds other files.")
    ] = False,
    config: Config = None,
    as_json: AsJson = False,
) -> int:
    """Write the policies for an OPA server or for Gatekeeper."""
    from finops_dagster.policy.export import export

    policies = _judge(config, bundle, [], None).policies
    written = export(policies, format_.value, folder, force=force)
    if as_json:
        print_json(
            envelope(
                "policy_export",
                [{"file": name} for name in written.files],
                abstained=written.left_out,
                bundle=policies.id,
            )
        )
    else:
        sys.stdout.write(f"Wrote {len(written.files)} files to {folder}: {policies.id}\n")
        if written.left_out:
            rows = [(one.subject, one.reason) for one in written.left_out]
            print_table("left out", ("rule", "reason"), rows)
    return 0


def _judge(
    config: Path | None, bundle: Path | None, beside: list[Path], parameters: Path | None
) -> JointJudge:
    """The settings' judge where there is a finops.yaml, else the shipped bundle, and `beside`."""
    from finops_dagster.policy.beside import JointJudge, load_beside
    from finops_dagster.policy.bundle import RegoBundle
    from finops_dagster.policy.judges import RegorusJudge

    if parameters is not None and not beside:
        raise SettingsError("--parameters are for --beside, and none is given")
    found = find_config(config, Path.cwd())
    known = Estate(load(found, check_paths=False)).judge if found is not None else None
    own = known.own if known is not None and bundle is None else None
    return JointJudge(
        own or RegorusJudge(RegoBundle.load(bundle or POLICIES)),
        [*(known.beside if known else ()), *(load_beside(one, parameters) for one in beside)],
    )


def _base(paths: list[Path]) -> str:
    """Where names of the report start from, as code hosts know it: from the current folder."""
    if len(paths) > 1 or str(paths[0]) == "-":
        return ""
    here = paths[0] if paths[0].is_dir() else paths[0].parent
    try:
        return here.resolve().relative_to(Path.cwd().resolve()).as_posix()
    except ValueError:
        return here.as_posix()


def _show(report: CheckReport) -> None:
    """What spoke, resource by resource, as text and never as markup; then what was not judged."""
    screen = console()
    for item in report.items:
        if item.rules:
            what = f" ({item.action})" if item.action else ""
            screen.print(
                f"{item.file}:{item.line}: {_SAID[item.verdict]}: {item.resource}{what}",
                markup=False,
                style="bold",
            )
        for rule in item.rules:
            found = f"  {rule.id}: {rule.title}: {rule.actual} (limit: {rule.limit})"
            screen.print(found, markup=False)
            screen.print(f"    {rule.fix}", markup=False, style="dim")
    if report.refused:
        rows = [(one.file, one.reason) for one in report.refused]
        print_table("not judged", ("file", "reason"), rows)
    if report.passed_over:
        rows = [(one.file, f"{one.resource}: {one.reason}") for one in report.passed_over]
        print_table("nothing to judge", ("file", "reason"), rows)
    unknown = [(one.resource, ", ".join(one.unknown)) for one in report.items if one.unknown]
    if unknown:
        print_table("known only after it is deployed", ("resource", "values"), unknown)
    screen.print(
        f"{report.count(Decision.DENY)} denied, "
        f"{report.count(Decision.NEEDS_APPROVAL)} need approval, "
        f"{report.count(Decision.ALLOW)} allowed, {len(report.refused)} refused",
        style="bold",
    )


def _progress(what: str) -> Callable[[int, int], None]:
    """Tells a person on stderr how far it is, where it takes a while."""
    said = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal said
        now = time.monotonic()
        if now - said >= _PATIENCE_SECONDS:
            said = now
            sys.stderr.write(f"  {done} of {total} {what}\n")

    return tell
