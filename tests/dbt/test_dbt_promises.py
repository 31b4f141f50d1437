"""What the dbt project promises of its models: words, tests, uses, and what figures mean."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from finops_dagster.defs.metrics import Metrics, page
from finops_dagster.defs.warehouse.project import prepared_manifest

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


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    text = prepared_manifest(ROOT / "dbt_project").read_text(encoding="utf-8")
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def models(manifest: dict[str, Any], layer: str = "") -> dict[str, dict[str, Any]]:
    return {
        key: node
        for key, node in manifest["nodes"].items()
        if node["resource_type"] == "model" and layer in ("", node["fqn"][1])
    }


def test_every_mart_says_what_it_is(manifest: dict[str, Any]) -> None:
    """A mart without a grain, an owner or words for its columns cannot be relied on."""
    grains = {
        one
        for node in manifest["nodes"].values()
        if (node.get("test_metadata") or {}).get("name") == "unique_grain"
        for one in node["depends_on"]["nodes"]
    }
    for key, mart in models(manifest, "marts").items():
        assert mart["description"], key
        assert mart["config"]["meta"]["owner"], key
        assert mart["contract"]["enforced"], key
        assert [name for name, one in mart["columns"].items() if not one["description"]] == [], key
        assert key in grains, key


_DECIDES = re.compile(r"\b(?:case|over)\b|dbt\.(?:dateadd|datediff|date_trunc|last_day)\b")
_READS_FILES = re.compile(
    r"\b(?:landing|landing_totals|landing_deliveries|published|currency_rates)\("
)
"""dbt's unit tests stand in for models and sources, not for files: these models are held by the
tests of this folder that deliver some."""


def test_every_model_that_decides_has_a_unit_test(manifest: dict[str, Any]) -> None:
    """A CASE, a window or a date rule that no test holds is changed by accident."""
    held = {one for test in manifest["unit_tests"].values() for one in test["depends_on"]["nodes"]}
    deciding = {
        key
        for key, node in models(manifest).items()
        if _DECIDES.search(node["raw_code"]) and not _READS_FILES.search(node["raw_code"])
    }
    assert len(deciding) > 20
    assert sorted(deciding - held) == []
