"""The listed cases: which bytes own a value, asked of `finops desired-state index` and `set`.

Repositories are read where they lie; `set` works on a copy. Cases are in desired_state_cases.yaml.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel, ConfigDict, model_validator
from typer.testing import CliRunner

from finops_dagster.cli.main import app

HERE = Path(__file__).parent
SHARED = HERE.parents[2] / "shared" / "data"
FIXTURES = HERE / "desired_state"


class Case(BaseModel):
    """One question: a resource and a field of a repository, and the owner or the refusal."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    repository: str
    """`shared/PATH` below ../shared/data, or `fixtures/NAME` below tests/contract/desired_state."""
    shows: frozenset[str]
    """What the case is an example of, for the counts below."""
    resource: str = ""
    field: str = ""
    file: str = ""
    line: int = 0
    value: str = ""
    """What the effective value reads now."""
    set: str = "1"
    """What it is set to."""
    changed: str = ""
    """The whole line afterwards, without its indentation; empty where that is not the point."""
    refused: str = ""
    """Part of the reason; empty where the value may be edited."""

    @model_validator(mode="after")
    def _whole(self) -> Case:
        whole_file = self.refused and self.file and not self.resource
        if not whole_file and not (self.resource and self.field):
            raise ValueError(f"{self.name}: names no resource and field")
        if not self.refused and not (self.file and self.line and self.value):
            raise ValueError(f"{self.name}: names no owner")
        return self

    def folder(self) -> Path:
        """The repository on this machine; skips where the shared data is absent."""
        kind, _, name = self.repository.partition("/")
        path = {"shared": SHARED, "fixtures": FIXTURES}[kind] / name
        if kind == "shared" and not path.is_dir():
            pytest.skip("../shared/data is not on this machine")
        return path


def _cases() -> list[Case]:
    listed = yaml.safe_load((HERE / "desired_state_cases.yaml").read_text())
    return [Case.model_validate(one) for one in listed["cases"]]


CASES = _cases()


def finops(*words: str | Path) -> tuple[int, Any]:
    """(exit code, JSON answer) of one `finops desired-state` command."""
    done = CliRunner().invoke(app, ["desired-state", *map(str, words), "--json"])
    return done.exit_code, json.loads(done.stdout)


@cache
def indexed(folder: Path) -> Any:
    """Answer of `finops desired-state index`, asked once for each repository."""
    code, answer = finops("index", folder)
    assert code == 0
    return answer


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_index_names_the_owner_or_the_reason(case: Case) -> None:
    """Harm: a value is looked up at a place that does not decide it, or is missing in silence."""
    folder = case.folder()
    answer = indexed(folder)
    if not case.resource:
        reasons = {one["file"]: one["reason"] for one in answer["refused"]}
        assert case.refused in reasons.get(case.file, f"{case.file} is not refused")
        return
    (item,) = [
        one
        for one in answer["items"]
        if (one["resource"], one["field"]) == (case.resource, case.field)
    ]
    if case.refused:
        assert not item["editable"]
        assert case.refused in item["reason"]
        return
    assert (item["editable"], item["reason"]) == (True, "")
    data = (folder / item["file"]).read_bytes()
    line = data[: item["start_byte"]].count(b"\n") + 1
    assert (item["file"], line, item["value"]) == (case.file, case.line, case.value)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_set_changes_that_line_alone_or_nothing(case: Case, tmp_path: Path) -> None:
    """Harm: an edit that another file undoes, that moves a second value, or reformats a file."""
    copy = tmp_path / "repository"
    shutil.copytree(case.folder(), copy, symlinks=True)
    before = _bytes(copy)
    code, answer = finops(
        "set", copy, "--resource", case.resource, "--field", case.field, "--value", case.set
    )
    after = _bytes(copy)
    if case.refused:
        assert (code, before == after) == (1, True)
        assert answer["errors"][0]["hint"]
        if case.resource:
            assert case.refused in answer["errors"][0]["expected"]
        return
    assert code == 0, answer["errors"]
    assert before.keys() == after.keys()
    assert [name for name in before if before[name] != after[name]] == [case.file]
    old, new = before[case.file].split(b"\n"), after[case.file].split(b"\n")
    assert len(old) == len(new)
    differing = [n for n, (a, b) in enumerate(zip(old, new, strict=True), start=1) if a != b]
    assert differing == [case.line]
    written = new[case.line - 1].decode()
    assert case.set in written
    assert not case.changed or written.strip() == case.changed


def test_there_are_as_many_cases_of_each_kind_as_were_promised() -> None:
    """Harm: a kind of repository loses its last example and nobody notices when it breaks."""
    assert len({case.name for case in CASES}) == len(CASES) >= 40
    shown = Counter(word for case in CASES for word in case.shows)
    least = {"overlay": 8, "inline": 4, "helm": 6, "terraform": 2, "crossplane": 1, "serverless": 2}
    assert {word: shown[word] for word in least if shown[word] < least[word]} == {}
    assert sum(bool(case.refused) for case in CASES) >= 8


def _bytes(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }
