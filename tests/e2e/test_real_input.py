"""Real data: a bill of one's own and nothing else, odd files, and a public repository."""

from __future__ import annotations

import csv
import difflib
import gzip
import shutil
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from finops_dagster.domain.deliveries import Landed
from tests.e2e.estate import ROOT, Answer, finops

SHARED = ROOT.parent / "shared" / "data"
SAMPLE = SHARED / "billing" / "focus_sample_1_0"
REPOSITORY = SHARED / "gitops" / "microservices_demo"
BILLED = {
    "AWS": Decimal("18.006639"),
    "Microsoft": Decimal("1.976514"),
    "Oracle": Decimal("0.537074"),
}
"""Sums of BilledCost by provider, as the sample's index has them."""


def given(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path.relative_to(ROOT.parent)} is not on this machine")
    return path


def settings(folder: Path, bill: Path) -> Path:
    """A finops.yaml that names a bill and nothing else."""
    folder.mkdir(parents=True, exist_ok=True)
    text = f"estate: mine\nbilling:\n  - name: sample\n    path: {bill}\n"
    (folder / "mine.yaml").write_text(text, encoding="utf-8")
    return folder


def first_look(folder: Path, *options: str) -> Answer:
    return finops(folder, "run", "--dry-run", "--config", "mine.yaml", "--json", *options)


def billed(folder: Path, year: str = "2024") -> dict[str, Decimal]:
    """Billed cost of a year's charges in the mart by provider."""
    rows = finops(folder, "marts", "fct_costs_daily", "--config", "mine.yaml", "--json").items
    sums = dict.fromkeys((str(row["provider_name"]) for row in rows), Decimal(0))
    for row in rows:
        if row["charge_date"].startswith(year):
            sums[row["provider_name"]] += Decimal(row["billed_cost"])
    return {name: cost.quantize(Decimal("0.000001")) for name, cost in sums.items()}


def checked(answer: Answer) -> dict[str, Any]:
    """The document of a run that ended well and acted on nothing."""
    assert answer.code == 0, answer.out + answer.err
    document = answer.json
    assert document["acted"] is False
    assert document["errors"] == []
    assert {one["status"] for one in document["items"]} == {"done"}
    return document


def test_a_first_look_at_a_bill_of_the_past(tmp_path: Path) -> None:
    """Harm: the first thing a person tries with a bill of their own fails, or adds up wrongly."""
    folder = settings(tmp_path / "mine", given(SAMPLE))
    started = time.monotonic()
    document = checked(first_look(folder, "--as-of", "2024-09-30"))
    # seconds, of a machine whose other core runs other tests
    assert time.monotonic() - started < 240
    assert document["items"][0]["rows_in"] == 1000
    assert document["items"][0]["rows_quarantined"] == 0
    assert billed(folder) == BILLED
    assert finops(folder, "ledger", "conserve", "--config", "mine.yaml").code == 0

    told = {one["subject"]: one["reason"] for one in document["abstained"]}
    assert "there are 30" in told["inputs of the cost forecaster"]
    assert "no telemetry" in told["workloads"]
    assert all(told.values())

    state = folder / ".finops"
    report = (state / "reports" / "2024-09-30" / "report.html").read_text(encoding="utf-8")
    assert "<script" not in report
    assert told["inputs of the cost forecaster"] in report
    rungs = pd.read_parquet(state / "insight" / "2024-09-30" / "forecast_rungs.parquet")
    month = rungs.set_index("unique_id").loc["total|USD|all"]
    assert month["rung"] == "seasonal"
    assert "takes 132" in month["reason"] and "widened beyond 15 days" in month["reason"]
    landed = [
        Landed.model_validate_json(path.read_text(encoding="utf-8"))
        for path in (state / "landing" / "records" / "charges").rglob("*.json")
    ]
    # one charge of the last evening of September is billed with October
    assert sorted((str(one.delivery.partition), one.rows_landed) for one in landed) == [
        ("2024-09-01", 999),
        ("2024-10-01", 1),
    ]
    deviations = {fault.code for one in landed for fault in one.conformance}
    assert deviations >= {"column_unknown", "null_text", "time_without_zone"}


@pytest.mark.conformance
def test_a_first_look_today_at_oddly_named_files_of_two_months(tmp_path: Path) -> None:
    """Harm: only files that are named, packed and dated as expected can be looked at."""
    (sample,) = given(SAMPLE).rglob("*.csv")
    with sample.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.reader(file))
    bills = tmp_path / "my bills"
    bills.mkdir()
    with gzip.open(
        bills / "Ünter'suchung (1);--\".csv.gz", "wt", encoding="utf-8", newline=""
    ) as g:
        csv.writer(g).writerows(rows)
    years_ago = [[value.replace("2024-", "2021-") for value in row] for row in rows[1:]]
    with (bills / "$(old) {bill}.csv").open("w", encoding="utf-8", newline="") as plain:
        csv.writer(plain).writerows([rows[0], *years_ago])
    folder = settings(tmp_path / "mine", bills)
    document = checked(first_look(folder))
    assert document["items"][0]["rows_in"] == 2000
    # days ahead of a bill of years ago are days gone by: nobody is told to expect them
    assert any("the newest cost is of 2024-" in one["reason"] for one in document["abstained"])
    assert billed(folder, "2024") == billed(folder, "2021") == BILLED
    assert (folder / ".finops" / "reports" / document["as_of"] / "report.html").exists()


_LONG = pytest.mark.conformance


@pytest.mark.parametrize(
    ("files", "code", "fault", "words"),
    [
        ({}, 1, "no_delivery", "none has come"),
        pytest.param({"bill.csv": b""}, 1, "empty_file", "header line", marks=_LONG),
        pytest.param(
            {"bill.csv": b"\x00\x01\x02" * 50}, 1, "column_missing", "BilledCost", marks=_LONG
        ),
        (None, 2, "missing_path", "found nothing"),
    ],
    ids=["empty folder", "empty file", "no text", "wrong path"],
)
def test_what_is_no_bill_is_told(
    files: dict[str, bytes] | None, code: int, fault: str, words: str, tmp_path: Path
) -> None:
    """Harm: a stack trace, or a report about nothing, where a path is wrong or a file empty."""
    bills = tmp_path / "bills"
    for name, data in (files or {}).items():
        bills.mkdir(exist_ok=True)
        (bills / name).write_bytes(data)
    if files is not None:
        bills.mkdir(exist_ok=True)
    folder = settings(tmp_path / "mine", bills)
    answer = first_look(folder)
    assert answer.code == code, answer.out
    assert "Traceback" not in answer.out + answer.err
    errors = answer.json["errors"]
    assert all(one["expected"] and one["hint"] for one in errors)
    assert fault in [one["code"] for one in errors] or not fault
    assert words in " ".join(one["expected"] for one in errors)
    for name in files or {}:
        assert str(bills / name) in [one["file"] for one in errors]
    assert not (folder / ".finops" / "published" / "current.json").exists()


def test_ten_values_of_a_public_repository_change_one_line_each(tmp_path: Path) -> None:
    """Harm: an edit reformats a file that people keep by hand, or changes its neighbour."""
    copy = tmp_path / "copy"
    shutil.copytree(given(REPOSITORY), copy, copy_function=shutil.copyfile)
    index = finops(tmp_path, "desired-state", "index", "copy", "--json").items
    wanted = [
        one
        for one in index
        if one["editable"] and one["resource"].startswith("Deployment/")
        and one["field"].endswith(("requests.cpu", "limits.memory"))
    ][:10]  # fmt: skip
    assert len(wanted) == 10
    assert len({one["file"] for one in wanted}) >= 5
    for one in wanted:
        path = copy / one["file"]
        before = path.read_bytes().decode()
        value = "37m" if one["field"].endswith("cpu") else "1234Mi"
        answer = finops(
            tmp_path, "desired-state", "set", "copy", "--resource", one["resource"],
            "--field", one["field"], "--value", value,
        )  # fmt: skip
        assert answer.code == 0, answer.err
        after = path.read_bytes().decode()
        changed = [
            line
            for line in difflib.ndiff(before.splitlines(True), after.splitlines(True))
            if line[0] in "+-"
        ]
        assert [line[0] for line in changed] == ["-", "+"]
        assert changed[0][1:].replace(one["value"], value) == changed[1][1:]
        assert changed[1][2:] in answer.out
    others = {path.relative_to(copy) for path in copy.rglob("*") if path.is_file()} - {
        Path(one["file"]) for one in wanted
    }
    assert all((copy / one).read_bytes() == (REPOSITORY / one).read_bytes() for one in others)
