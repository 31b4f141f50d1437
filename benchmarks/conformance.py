"""Measures every figure that docs may quote, and writes docs/conformance.json.

Which figures there are is data: benchmarks/figures.json. A figure is a `name`, the `command` that
prints one JSON object, the dotted `path` to its value in there, and the `goal` it is held against.
"""

from __future__ import annotations

import argparse
import json
import operator
import shlex
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "benchmarks" / "figures.json"
WRITTEN = ROOT / "docs" / "conformance.json"

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "=": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
}


@dataclass(frozen=True)
class Figure:
    """One line of figures.json."""

    name: str
    command: str
    path: str
    goal: str

    def met(self, value: float) -> bool:
        """Whether `value` reaches the goal."""
        sign, limit = self.goal.split()
        return _COMPARE[sign](value, float(limit))

    def value(self, answer: Any) -> float:
        """The figure in what the command printed; a number in the path is a place in a list.

        Raises LookupError, ValueError or TypeError if it is not there.
        """
        for part in self.path.split("."):
            answer = answer[int(part) if isinstance(answer, list) else part]
        return float(answer)


def figures(path: Path = FIGURES) -> list[Figure]:
    """Every figure, as listed."""
    return [Figure(**line) for line in json.loads(path.read_text(encoding="utf-8"))]


def run(command: str) -> Any:
    """What `command` printed as JSON, or None when it failed; `python` is this interpreter."""
    words = shlex.split(command)
    if words[0] == "python":
        words[0] = sys.executable
    done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        return None
    return json.loads(done.stdout)


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def measure(wanted: list[Figure]) -> list[dict[str, Any]]:
    """Run each command once, in order, and take its figures."""
    commit, answers = _commit(), {}
    rows: list[dict[str, Any]] = []
    for figure in wanted:
        if figure.command not in answers:
            print(f"conformance  {figure.command}", file=sys.stderr)
            answers[figure.command] = run(figure.command)
        answer = answers[figure.command]
        value = None if answer is None else figure.value(answer)
        met = value is not None and figure.met(value)
        print(f"  {'ok ' if met else 'NOT'} {figure.name} {value} ({figure.goal})", file=sys.stderr)
        rows.append(
            {
                "name": figure.name,
                "command": figure.command,
                "commit": commit,
                "date": datetime.now(UTC).date().isoformat(),
                "goal": figure.goal,
                "value": value,
                "met": met,
            }
        )
    return rows


def write(rows: list[dict[str, Any]], path: Path, listed: list[Figure]) -> None:
    """Put `rows` into the file at `path`, keeping those of figures that were not measured now."""
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else []
    by_name = {row["name"]: row for row in [*kept, *rows]}
    ordered = [by_name[figure.name] for figure in listed if figure.name in by_name]
    path.write_text(json.dumps(ordered, indent=2) + "\n", encoding="utf-8")


def main() -> int:
    """Command line; exit 1 when a goal is not met or a command failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", help="name of a figure; may be repeated")
    parser.add_argument("--out", type=Path, default=WRITTEN)
    arguments = parser.parse_args()
    listed = figures()
    unknown = set(arguments.only or ()) - {figure.name for figure in listed}
    if unknown:
        parser.error(f"no such figure: {', '.join(sorted(unknown))}")
    rows = measure([f for f in listed if not arguments.only or f.name in arguments.only])
    write(rows, arguments.out, listed)
    return 0 if all(row["met"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
