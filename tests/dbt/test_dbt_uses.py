"""What marts are said to mean and to be used for, held to the code that uses them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_dagster.defs.metrics import Metrics, page

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "finops_dagster"
MODELS = ROOT / "dbt_project" / "models"
NOT_READERS = {
    *(PACKAGE / "quality").rglob("*.py"),
    PACKAGE / "defs" / "line.py",
    PACKAGE / "defs" / "joined.py",
    PACKAGE / "defs" / "insight" / "resources.py",
}
"""They judge marts, publish them or hand them to dbt: what comes of it is another mart."""
_READ = re.compile(r"""(?:["'(]|from )((?:fct|dim)_[a-z_]+)""")


def exposures() -> list[dict[str, Any]]:
    text = (MODELS / "_exposures.yml").read_text(encoding="utf-8")
    found: list[dict[str, Any]] = yaml.safe_load(text)["exposures"]
    return found


def read_by(path: Path) -> set[str]:
    """Marts that a file names as a text or as a reference, not in prose."""
    return set(_READ.findall(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize("exposure", exposures(), ids=lambda one: str(one["name"]))
def test_an_exposure_names_what_its_code_reads(exposure: dict[str, Any]) -> None:
    """A mart that seems unused is dropped, one that seems used is kept for nobody."""
    named = {re.sub(r"ref\('(\w+)'\)", r"\1", one) for one in exposure["depends_on"]}
    assert named == set().union(*(read_by(ROOT / path) for path in exposure["meta"]["code"]))


def test_every_reader_of_marts_is_an_exposure() -> None:
    """Who changes a mart must see whom it breaks."""
    told = {ROOT / path for one in exposures() for path in one["meta"]["code"]}
    readers = {path for path in PACKAGE.rglob("*.py") if read_by(path)}
    assert sorted(readers - told - NOT_READERS) == []


def test_the_page_of_metrics_is_what_dbt_parsed() -> None:
    """docs/metrics.md is written by `python -m finops_dagster.defs.metrics`."""
    written = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert written == page(Metrics.of_project(ROOT / "dbt_project"))
