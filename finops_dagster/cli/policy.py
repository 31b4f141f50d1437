"""Commands that ask policy: of files that somebody wrote, and of the past.

Rules are Rego; how they are asked is the business of the package policy.
"""

from __future__ import annotations

import contextlib
import io
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from finops_dagster.cli.common import AsJson, command, is_bare, single_group
from finops_dagster.cli.output import envelope, print_json, print_table
from finops_dagster.cli.policy_replay import policy_replay
from finops_dagster.defs.estate import POLICIES
from finops_dagster.domain.errors import SettingsError


def register(app: typer.Typer) -> None:
    """Add these commands to `app`."""
    policy = typer.Typer(help="Policies written in Rego.", no_args_is_help=True)
    policy.callback()(single_group)
    policy.command("check")(policy_check)
    policy.command("replay")(policy_replay)
    app.add_typer(policy, name="policy")


@contextlib.contextmanager
def _written_out(path: Path) -> Iterator[Path]:
    """The files of `path`; of a bare repository, which has none on disk, those of its HEAD."""
    if not is_bare(path):
        yield path
        return
    from finops_dagster.gitops.git_objects import Git

    archive = io.BytesIO(Git(path).run("archive", "--format=tar", "HEAD"))
    with tempfile.TemporaryDirectory() as folder, tarfile.open(fileobj=archive) as tar:
        files = [member for member in tar if member.isfile() or member.isdir()]
        tar.extractall(folder, files, filter="data")
        yield Path(folder)


@command("policy_check")
def policy_check(
    path: Annotated[Path, typer.Argument(help="Manifest, folder or repository.")],
    bundle: Annotated[Path, typer.Option(help="Policy bundle.")] = POLICIES,
    format_: Annotated[
        str | None, typer.Option("--format", help="json or sarif; without it a table.")
    ] = None,
    as_json: AsJson = False,
) -> int:
    """Judge manifests by policy; exit code 1 if one is denied."""
    from importlib.metadata import version

    from finops_dagster.policy.bundle import RegoBundle
    from finops_dagster.policy.check import check_path
    from finops_dagster.policy.sarif import sarif

    loaded = RegoBundle.load(bundle)
    with _written_out(path) as files:
        report = check_path(files, loaded)
    if format_ == "sarif":
        print_json(sarif(report, loaded.rules, version("finops-dagster")))
    elif as_json or format_ == "json":
        refused = [one.model_dump(mode="json") for one in report.refused]
        print_json(envelope("policy_check", report.items, bundle=report.bundle, refused=refused))
    elif format_ is not None:
        raise SettingsError(f"--format is json or sarif, not {format_}")
    else:
        print_table(
            f"policy check of {path}",
            ("file", "resource", "verdict", "rule", "actual", "limit", "what to do"),
            [
                (i.file, i.resource, i.verdict.value, r.title, r.actual, r.limit, r.fix)
                for i in report.items
                for r in i.rules
            ]
            or [(i.file, i.resource, i.verdict.value, "", "", "", "") for i in report.items],
        )
        if report.refused:
            print_table(
                "not judged", ("file", "reason"), [(r.file, r.reason) for r in report.refused]
            )
    return 1 if report.denied else 0
