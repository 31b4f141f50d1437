"""A small estate lived through with the `finops` command, and what was said on the way.

The fixtures that share it are in conftest.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from finops_dagster import demo
from tests.forked import forks

ROOT = Path(__file__).resolve().parents[2]
SEED = 7
DAYS = 140
"""The smallest estate in which every engine speaks: the forecaster's own inputs are compared over
134 days, a forecast of 30 days is trained and checked on 132."""
HISTORY_DAYS = 28
"""Of telemetry taken in; the least that settings allow."""

AGAIN = """
import sys
from pathlib import Path
from finops_dagster import runner
from finops_dagster.cli import summary
from finops_dagster.settings import load
settings = load(Path(sys.argv[1]))
outcome = runner.run(settings, jobs=("publish_changes",))
summary.show(settings, outcome)
sys.exit(outcome.exit_code)
"""
"""The last step of `finops run` and what it prints for people, without the minutes before it."""

SIGNALS = ("telemetry", "carbon", "predictions", "labels", "runs", "model_versions", "token_usage",
           "business")  # fmt: skip
PARTS = ("finops.yaml", "allocation.yaml", "exports", *SIGNALS, "gitops.git")
"""What an estate is read of; another one may be made of them."""


@dataclass(frozen=True)
class Answer:
    """What one process said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The document that was alone on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        return document

    @property
    def items(self) -> list[dict[str, Any]]:
        """Items of its envelope."""
        found: list[dict[str, Any]] = self.json["items"]
        return found


CANARIES = {
    # each installation would make a key of its own, and its hashes could not be compared
    "FINOPS_PRIVACY_KEY": "the key of all estates of these tests",
    "FINOPS_GITHUB_APP_KEY": "canary-of-the-app-key",
    "FINOPS_CREDENTIALS__PROMETHEUS__TOKEN": "canary-of-a-sources-token",
    "FINOPS_CREDENTIALS__GRID__USERNAME": "reader",
    "FINOPS_CREDENTIALS__GRID__PASSWORD": "canary-of-a-sources-password",
    "FINOPS_CREDENTIALS__AWS__HEADERS": '{"X-Key": "canary-of-a-header"}',
}
"""Secrets of every estate of these tests: test_secrets looks for them in all that was written."""
ENVIRONMENT = {"PYTHONPATH": str(ROOT), "COLUMNS": "200", **CANARIES}


def surroundings(**environment: str) -> dict[str, str]:
    """An environment with no settings of this machine."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("FINOPS_", "DAGSTER_HOME"))}
    return {**kept, **ENVIRONMENT, **environment}


def process(command: list[str], folder: Path, **environment: str) -> Answer:
    """Run a command of the project's environment in `folder`."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings(**environment),
        capture_output=True,
        text=True,
        check=False,
    )
    return Answer(done.returncode, done.stdout, done.stderr)


def finops(folder: Path, *arguments: str, **environment: str) -> Answer:
    """Run `finops` in a folder that holds a finops.yaml.

    What only reads, or acts once, is asked dozens of times: two seconds each are its imports.
    """
    if arguments[0] == "run":  # must say the same whatever process it is
        command = str(Path(sys.executable).parent / "finops")
        return process([command, *arguments], folder, **environment)
    told = ["finops", *arguments]
    done = forks("finops_dagster.cli").run(told, folder, surroundings(**environment))
    return Answer(done.returncode, done.stdout, done.stderr)


def git(repository: Path, *arguments: str) -> str:
    """Plain git, as a reviewer uses it."""
    return subprocess.run(
        ["git", "-C", str(repository), *arguments], capture_output=True, check=True
    ).stdout.decode()


def create(folder: Path, seed: int, days: int, history_days: int = HISTORY_DAYS) -> None:
    """A demo estate that takes in a short history of telemetry."""
    demo.create(folder, seed, days)
    settings = folder / "finops.yaml"
    text = settings.read_text(encoding="utf-8")
    settings.write_text(f"{text}\nhistory_days: {history_days}\n", encoding="utf-8")


def truth_of(folder: Path) -> list[dict[str, Any]]:
    """What an estate hides."""
    items: list[dict[str, Any]] = json.loads((folder / "truth.json").read_text(encoding="utf-8"))
    return items


@dataclass(frozen=True)
class World:
    """The estate after two runs, and what was said and seen on the way."""

    folder: Path
    first: Answer
    """`finops run --json`."""
    second: Answer
    again: Answer
    """The last job once more, as people see it."""
    refs: tuple[str, ...]
    """References of the repository after the first run, the second and the third."""
    entries: tuple[int, int]
    """Entries of the ledger after the first run and after the second."""

    @property
    def repository(self) -> Path:
        return self.folder / "gitops.git"

    @property
    def truth(self) -> list[dict[str, Any]]:
        return truth_of(self.folder)

    def finops(self, *arguments: str) -> Answer:
        return finops(self.folder, *arguments)


def live(folder: Path) -> World:
    """Create the estate and run it twice, and its last job a third time."""
    create(folder, SEED, DAYS)
    refs, entries, answers = [], [], []
    for _ in range(2):
        answers.append(finops(folder, "run", "--json"))
        refs.append(git(folder / "gitops.git", "show-ref"))
        (chain,) = finops(folder, "audit", "verify", "--json").items
        entries.append(int(chain["entries"]))
    again = process([sys.executable, "-c", AGAIN, str(folder / "finops.yaml")], folder)
    refs.append(git(folder / "gitops.git", "show-ref"))
    return World(folder, answers[0], answers[1], again, tuple(refs), (entries[0], entries[1]))


def keep(world: World, told: Path) -> None:
    """Write what was said, for another process."""
    told.write_text(json.dumps({**asdict(world), "folder": str(world.folder)}))


def load(told: Path) -> World:
    """What `keep` wrote."""
    kept = json.loads(told.read_text())
    return World(
        Path(kept["folder"]),
        *(Answer(**kept[name]) for name in ("first", "second", "again")),
        refs=tuple(kept["refs"]),
        entries=(kept["entries"][0], kept["entries"][1]),
    )
