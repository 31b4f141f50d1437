"""A manifest names the artefact in use: what it names forecasts, and going back is one line."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.cli.ai.engines import rolled_back
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.gitops import adding, publishing
from finops_dagster.defs.insight.models import engines
from finops_dagster.defs.insight.waste.engines import engines as find
from finops_dagster.domain.decisions import Decision, FindingKind, Proposal, Verdict
from finops_dagster.domain.errors import Stopped
from finops_dagster.domain.pull_requests import PullRequestState
from finops_dagster.engines.forecasting import name_of
from finops_dagster.settings import Settings
from tests.dagster.test_engines import DAY, decided, series

NAME = "Engine/finops/cost-forecaster"
MANIFEST = """apiVersion: finops.io/v1
kind: Engine
metadata:
  name: cost-forecaster
  namespace: finops
  labels: {{team: platform, environment: production, cost-center: cc-1}}
spec:
  artefact: "{artefact}"  # by its hash
  pinned: {pinned}
"""


def git(folder: Path, *words: str) -> str:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.example"]
    return subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def write(tmp_path: Path, artefact: str, *, pinned: bool = False) -> None:
    """Commit the manifest to the branch of the bare repository."""
    work, bare = tmp_path / "work", tmp_path / "repo.git"
    if not bare.exists():
        git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
        git(tmp_path, "clone", "-q", str(bare), str(work))
        git(work, "checkout", "-q", "-b", "main")
    (work / "engines").mkdir(exist_ok=True)
    told = MANIFEST.format(artefact=artefact, pinned=str(pinned).lower())
    (work / "engines" / "forecaster.yaml").write_text(told)
    git(work, "add", ".")
    git(work, "commit", "-q", "--allow-empty", "-m", "engine")
    git(work, "push", "-q", "origin", "HEAD:main")


def opened(tmp_path: Path, **more: Any) -> Estate:
    return Estate(
        Settings(
            estate="a",
            billing=[{"name": "b", "path": "c"}],
            state_dir=tmp_path / "state",
            as_of=DAY,
            desired_state={
                "repository": str(tmp_path / "repo.git"),
                "allowed_paths": ["engines/*"],
            },
            ai={"engines": {"declared": NAME, "max_age_days": 7}},
            **more,
        )
    )


def test_what_the_manifest_names_forecasts_and_a_rollback_is_one_pull_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dry first; then one pull request of one line; merged, the exact earlier bytes are used."""
    write(tmp_path, "")
    estate = opened(tmp_path)
    _, first = decided(estate, series())  # nothing is named yet: trained, and proposed
    a = name_of(first.artefact)
    (finding,) = find(estate, None, DAY).findings  # type: ignore[arg-type]
    assert (finding.kind, finding.resource, finding.field) == (
        FindingKind.ENGINE_PROMOTION, NAME, "spec.artefact",
    )  # fmt: skip
    assert (finding.current, finding.proposed, finding.owner) == ("", a, "platform")

    b = engines.store(estate).put(first.artefact + b" ")  # another that is kept, and is in use
    write(tmp_path, b)
    estate = opened(tmp_path)
    assert rolled_back(estate.settings, a, unpin=False, act=False)["recorded"] is False
    assert list(estate.forge().pull_requests()) == []
    with pytest.raises(Stopped, match="is not decided yet"):
        rolled_back(estate.settings, a, unpin=False, act=True)
    assert "rolled_back" not in {one.what for one in engines.events(estate)}

    def allowed(_: Estate, __: Any, ___: Any, made: Sequence[Proposal], ____: Any) -> list[Verdict]:
        return [
            Verdict(subject=one.id, decision=Decision.ALLOW, rules=(), bundle="b") for one in made
        ]

    monkeypatch.setattr(adding, "judged", allowed)
    monkeypatch.setattr(publishing, "effects", lambda *_: ())
    monkeypatch.setattr(publishing.rebuild, "reader", lambda *_: None)
    monkeypatch.setattr(publishing, "uses", lambda *_: {})
    estate.day(DAY).write_items("verdicts", [])
    done = rolled_back(opened(tmp_path).settings, a, unpin=False, act=True)
    (request,) = opened(tmp_path).forge().pull_requests()
    assert request.state is PullRequestState.OPEN and done["pull_request"]
    diff = git(tmp_path / "repo.git", "diff", f"main...{request.branch}")
    changed = [
        line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert changed == [f'-  artefact: "{b}"  # by its hash', f'+  artefact: "{a}"  # by its hash']

    rolled_back(opened(tmp_path).settings, a, unpin=False, act=True)
    assert len(list(opened(tmp_path).forge().pull_requests())) == 1
    (finding,) = find(opened(tmp_path), None, DAY).findings  # type: ignore[arg-type]
    assert finding.kind is FindingKind.ENGINE_ROLLBACK  # the next run keeps it open

    opened(tmp_path).forge().merge(request.number)
    used = engines.in_use(opened(tmp_path), DAY, series())
    assert used.artefact == first.artefact and used.standing.declared
    assert find(opened(tmp_path), None, DAY).findings == []  # type: ignore[arg-type]


def test_a_pinned_manifest_is_not_promoted_over(tmp_path: Path) -> None:
    write(tmp_path, "")
    decided(opened(tmp_path), series())
    a = next(iter(engines.store(opened(tmp_path))))
    write(tmp_path, engines.store(opened(tmp_path)).put(b"another"), pinned=True)
    assert engines.declared(opened(tmp_path), DAY) is not None
    assert find(opened(tmp_path), None, DAY).findings == []  # type: ignore[arg-type]
    write(tmp_path, a, pinned=True)
    assert engines.in_use(opened(tmp_path), DAY, series()).standing.pinned
