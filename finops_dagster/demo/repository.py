"""The GitOps repository of the estate as a bare Git repository, with its history.

Which files there are on a day is in folders.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from finops_dagster.demo.catalogue import Layout
from finops_dagster.demo.folders import Files, tree
from finops_dagster.demo.models import BIAS_FROM, UNFAIR
from finops_dagster.demo.plan import Plan
from finops_dagster.demo.seasons import AS_OF
from finops_dagster.domain.errors import Unavailable

IMPORTED_ON = AS_OF - timedelta(days=760)
"""Day of the first commit: what ran then was moved into Git."""


def git(repository: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """Run git in a bare repository, whatever the machine's own settings; raises Unavailable."""
    program = shutil.which("git")
    if program is None:
        raise Unavailable("git is not installed: the demo estate keeps its repository with it.")
    done = subprocess.run(
        [program, f"--git-dir={repository}", *arguments],
        input=stdin,
        capture_output=True,
        check=False,
        env={"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "LC_ALL": "C"},
    )
    if done.returncode != 0:
        message = done.stderr.decode(errors="replace").strip()
        raise Unavailable(f"git {arguments[0]} failed in {repository}: {message}")
    return done.stdout


def write_repository(path: Path, plan: Plan) -> str:
    """Create the bare repository with its history on main; returns the commit id of main."""
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", str(path))
    git(path, "fast-import", "--quiet", "--done", stdin=_fast_import(plan))
    return git(path, "rev-parse", "refs/heads/main").decode().strip()


def _changes(plan: Plan) -> list[tuple[date, str, str]]:
    """Days on which something was merged, with its author's team and what it says."""
    found = {IMPORTED_ON: ("platform-sre", "Move everything that runs into Git")}
    for workload in plan.workloads:
        name = f"{workload.spec.name} in {workload.environment}"
        if workload.first_day > IMPORTED_ON and workload.spec.layout is not Layout.UNDECLARED:
            found.setdefault(workload.first_day, (workload.spec.team, f"Add {name}"))
        for end, _ in workload.earlier:
            found[end] = (workload.spec.team, f"Give {name} more room after the incident")
    found.setdefault(BIAS_FROM, ("fraud", f"Serve credit-risk {UNFAIR}"))
    for claim in plan.claims:
        if claim.first_day > IMPORTED_ON:
            found.setdefault(claim.first_day, (claim.team, f"Volume {claim.name}"))
    return [(day, *found[day]) for day in sorted(found)]


def _fast_import(plan: Plan) -> bytes:
    """History as a git-fast-import stream: the same bytes, so the same commit ids, every time."""
    stream: list[bytes] = []
    before: Files = {}
    for number, (day, team, message) in enumerate(_changes(plan), start=1):
        moment = int(datetime.combine(day, time(8, 30), tzinfo=UTC).timestamp())
        who = f"{team} <{team}@halden.example> {moment} +0000"
        text = message.encode()
        stream.append(
            f"commit refs/heads/main\nmark :{number}\nauthor {who}\ncommitter {who}\n".encode()
            + f"data {len(text)}\n".encode()
            + text
            + b"\n"
            + (f"from :{number - 1}\n".encode() if number > 1 else b"")
        )
        after = tree(plan, day)
        for path in sorted(after):
            if before.get(path) != after[path]:
                content = after[path].encode()
                stream.append(f"M 100644 inline {path}\ndata {len(content)}\n".encode())
                stream.append(content + b"\n")
        stream += [f"D {path}\n".encode() for path in sorted(set(before) - set(after))]
        before = after
    return b"".join(stream) + b"done\n"
