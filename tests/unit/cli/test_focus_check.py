"""`finops focus check` as a script meets it: envelope, exit codes, and the commands of its page."""

from __future__ import annotations

import csv
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from finops_dagster.cli import app
from tests.unit.quality.focus_bill import CLEAN, MODEL, published

PAGE = Path(__file__).parents[3] / "docs" / "conformance-report.md"
RULES = {
    "A_1": {
        "MustSatisfy": "A MUST be one of the allowed values.",
        "Requirement": {"CheckFunction": "CheckValue", "ColumnName": "A", "Value": "x"},
    },
    "B_1": {
        "Keyword": "SHOULD",
        "Requirement": {"CheckFunction": "CheckValue", "ColumnName": "B", "Value": "y"},
    },
}


def bill(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def finops(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def answer(*words: str | Path) -> tuple[int, dict[str, Any]]:
    result = finops(*words, "--json")
    return result.exit_code, json.loads(result.stdout)


def test_the_envelope_names_rule_rows_and_examples(tmp_path: Path) -> None:
    """Scripts read these fields."""
    file = bill(tmp_path / "bill.csv", [{"A": "x", "B": "y"}, {"A": "=cmd()", "B": "z"}])
    code, document = answer("focus", "check", file, "--rules", published(tmp_path, **RULES))
    assert code == 1
    assert document["schema"] == "finops.focus_check/1"
    first, second = document["items"]
    assert first["rule"] == "A_1" and first["column"] == "A" and first["keyword"] == "MUST"
    assert (first["verdict"], first["rows"], first["judged"]) == ("fail", 1, 2)
    assert first["examples"] == [{"file": "bill.csv", "row": 2, "values": {"A": "=cmd()"}}]
    assert first["text"] == "A MUST be one of the allowed values."
    assert (second["verdict"], second["keyword"]) == ("fail", "SHOULD")
    assert document["counts"] == {"pass": 0, "fail": 1, "advice": 1, "allowed": 0, "skipped": 0}


def test_exit_codes(tmp_path: Path) -> None:
    """0 clean or allowed only, 1 a MUST fails, 2 usage, 3 nothing can be read."""
    model = published(tmp_path, **RULES)
    clean = bill(tmp_path / "clean.csv", [{"A": "x", "B": "no"}])
    wrong = bill(tmp_path / "wrong.csv", [{"A": "z", "B": "y"}])
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(b"PAR1 and no more")
    check = ("--rules", model)
    assert finops("focus", "check", clean, *check).exit_code == 0
    assert finops("focus", "check", wrong, *check).exit_code == 1
    assert finops("focus", "check", wrong, *check, "--allow", "A_1=agreed").exit_code == 0
    for words in (
        (tmp_path / "gone.csv", *check),
        (wrong, "--rules", wrong),
        (wrong, *check, "--allow", "A_1"),
        (wrong, *check, "--allow", "A_9=why"),
        (wrong, *check, "--supports", "NAMING=perhaps"),
        (wrong,),
    ):
        assert finops("focus", "check", *words).exit_code == 2, words
    assert finops("focus", "check", cut, *check).exit_code == 3


def test_parts_of_a_folder_are_one_delivery(tmp_path: Path) -> None:
    """Rows are named by file; a column that one part lacks is missing there."""
    folder = tmp_path / "parts"
    folder.mkdir()
    bill(folder / "a.csv", [{"A": "x", "B": "y"}])
    bill(folder / "b.csv", [{"A": "q", "B": "y"}, {"A": "q", "B": "y"}])
    rules = RULES | {
        "C_1": {
            "Reference": "C",
            "Function": "Presence",
            "Requirement": {"CheckFunction": "ColumnPresent", "ColumnName": "C"},
        }
    }
    _, document = answer("focus", "check", folder, "--rules", published(tmp_path, **rules))
    first, _, third = document["items"]
    assert document["rows"] == 3 and first["rows"] == 2
    assert {(one["file"], one["row"]) for one in first["examples"]} == {("b.csv", 1), ("b.csv", 2)}
    assert third["verdict"] == "fail" and "a.csv, b.csv" in third["reason"]


def test_rows_that_are_no_rows_are_told(tmp_path: Path) -> None:
    """What was not judged must not hide behind what was."""
    file = tmp_path / "bill.csv"
    file.write_text("A,B\nx,y,z,too many\nx,y\n", encoding="utf-8")
    code, document = answer("focus", "check", file, "--rules", published(tmp_path, **RULES))
    assert code == 0 and document["rows"] == 1
    assert "rows_not_told_apart" in [one["code"] for one in document["errors"]]


@pytest.mark.skipif(not MODEL.exists(), reason="the published rule model is not here")
def test_the_commands_of_the_page_do_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first thing a reader does is copy a command."""
    monkeypatch.chdir(tmp_path)
    renamed = [row | {"InvoiceIssuerName": "Cloud Inc."} for row in CLEAN.values()]
    bill(tmp_path / "bill.csv", renamed)
    (tmp_path / "model-1.2.json").symlink_to(MODEL)
    commands = [
        shlex.split(line)
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith("finops ")
    ]
    codes = [finops(*words[1:]).exit_code for words in commands]
    allowed = ["--allow" in words for words in commands]
    assert codes == [0 if one else 1 for one in allowed] and any(allowed)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "BilledCost-C-005-C" in page and "does not conform" in page
