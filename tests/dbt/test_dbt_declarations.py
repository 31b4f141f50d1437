"""What the dbt project declares, held against the types the rest of the project uses.

Nothing is built here: the parsed manifest is enough.
"""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pytest
import yaml

from finops_dagster.defs.line import ALLOCATION, BILLING, RESOURCES, SIGNALS
from finops_dagster.domain.schemas import LANDING_TABLES, METRICS, LogicalType
from finops_dagster.storage.exports import POLICY_VIOLATIONS, PROPOSALS, PULL_REQUESTS
from tests.dbt.landing import PROJECT, Estate

DUCKDB = {
    LogicalType.STRING: "varchar",
    LogicalType.MONEY: "decimal(38,20)",
    LogicalType.FLOAT: "double",
    LogicalType.INTEGER: "bigint",
    LogicalType.BOOLEAN: "boolean",
    LogicalType.TIME: "timestamptz",
    LogicalType.DATE: "date",
    LogicalType.STRING_MAP: "map(varchar, varchar)",
    LogicalType.FLOAT_MAP: "map(varchar, double)",
}

EXPORTED = {
    "string": "varchar",
    "date32[day]": "date",
    "int64": "bigint",
    "double": "double",
    "decimal128(38, 20)": "decimal(38,20)",
}

CLOCKS = {"allocation", "billing", "signals", "ledger", "resources"}
LEDGER = {"fct_proposals", "fct_pull_requests", "fct_policy_violations"}
CALENDAR = {"dim_dates"}
"""For tools that ask the metrics; nothing of it is published."""


@pytest.fixture(scope="module")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The project as dbt parses it."""
    estate = Estate(tmp_path_factory.mktemp("parse"))
    result = estate.dbt("parse")
    assert result.exit_code == 0, result.output
    assert "Deprecat" not in result.output
    parsed: dict[str, Any] = json.loads(
        (estate.root / "target" / "manifest.json").read_text(encoding="utf-8")
    )
    return parsed


def _models(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]


@pytest.mark.parametrize("table", LANDING_TABLES)
def test_sources_declare_what_landing_writes(manifest: dict[str, Any], table: str) -> None:
    """An empty landing table would otherwise have other columns than a full one."""
    (source,) = [s for s in manifest["sources"].values() if s["name"] == table]
    declared = {
        name: (column["data_type"], column["config"]["meta"].get("personal", False))
        for name, column in source["columns"].items()
    }
    assert declared == {
        column.name: (DUCKDB[column.type], column.personal)
        for column in LANDING_TABLES[table].columns
    }


@pytest.mark.parametrize(
    ("export", "schema"),
    [
        ("proposals", PROPOSALS),
        ("pull_requests", PULL_REQUESTS),
        ("policy_violations", POLICY_VIOLATIONS),
    ],
)
def test_sources_declare_what_the_ledger_exports(
    manifest: dict[str, Any], export: str, schema: pa.Schema
) -> None:
    """An export with another column than declared would fail on the first day that has one."""
    (source,) = [s for s in manifest["sources"].values() if s["name"] == export]
    declared = {name: column["data_type"] for name, column in source["columns"].items()}
    assert declared == {field.name: EXPORTED[str(field.type)] for field in schema}


def test_what_is_read_of_publications_is_what_their_marts_promise(
    manifest: dict[str, Any],
) -> None:
    """A column that a mart renames would be null wherever it is joined, and nothing would fail."""
    marts = {node["name"]: node["columns"] for node in _models(manifest)}
    sources = [
        s for s in manifest["sources"].values() if s["source_name"] in ("published", "in_force")
    ]
    assert sources
    for source in sources:
        promised = {name: one["data_type"] for name, one in marts[source["name"]].items()}
        read = {name: one["data_type"] for name, one in source["columns"].items()}
        assert read.items() <= promised.items(), source["name"]


def test_measured_metrics_are_exporters_names() -> None:
    """A misspelt metric would be a column of nulls, which reads as never measured."""
    text = (PROJECT / "macros" / "values" / "metrics.sql").read_text(encoding="utf-8")
    body = text[text.index("return({") + len("return({") - 1 : text.index("}) -}}") + 1]
    columns = yaml.safe_load(body)
    assert columns["cpu_cores"] == "container_cpu_usage_seconds_total"
    metrics = [
        one for held in columns.values() for one in ([held] if isinstance(held, str) else held)
    ]
    assert set(metrics) <= set(METRICS)
    assert len(set(metrics)) == len(metrics)


def test_every_model_has_one_clock_and_no_ref_crosses_clocks(manifest: dict[str, Any]) -> None:
    """A ref from months to days would run one Dagster job's models in another's partition.

    What is shipped is the same on every day: each clock builds it for itself.
    """
    clock, shipped = {}, set()
    for node in manifest["nodes"].values():
        if node["resource_type"] in ("model", "seed"):
            (clock[node["unique_id"]],) = CLOCKS & set(node["tags"])
            if "shipped" in node["tags"]:
                shipped.add(node["unique_id"])
    assert set(clock.values()) == CLOCKS
    for node in shipped:
        assert shipped.issuperset(manifest["parent_map"][node]), node
    for child, parents in manifest["parent_map"].items():
        if child.startswith("exposure."):
            continue  # what uses marts reads the published ones, of any clock
        met = {clock[node] for node in (child, *parents) if node in clock and node not in shipped}
        assert len(met) <= 1, child


def test_marts_carry_contract_owner_grain_and_docs(manifest: dict[str, Any]) -> None:
    """A mart without them is a table nobody answers for."""
    marts = [node for node in _models(manifest) if node["name"].startswith(("dim_", "fct_"))]
    of_clocks = {
        mart for clock in (BILLING, SIGNALS, ALLOCATION, RESOURCES) for mart in clock.marts
    }
    assert {mart["name"] for mart in marts} == of_clocks | LEDGER | CALENDAR
    for mart in marts:
        assert mart["config"]["contract"]["enforced"], mart["name"]
        assert mart["config"]["meta"]["owner"], mart["name"]
        assert mart["description"].startswith("One row per "), mart["name"]
        for column in mart["columns"].values():
            assert column["description"], (mart["name"], column["name"])


def test_every_model_is_described(manifest: dict[str, Any]) -> None:
    """The grain is the first thing a reader of a model needs."""
    for node in _models(manifest):
        assert node["description"].startswith("One row per "), node["name"]


def test_dbt_tells_nobody_that_it_ran() -> None:
    """Telemetry of the tools ships off."""
    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    assert project["flags"]["send_anonymous_usage_stats"] is False


def test_tag_keys_default_to_the_settings_defaults() -> None:
    """A bare dbt run would otherwise find other owners than the product's run."""
    from finops_dagster.settings import TagSettings

    project = yaml.safe_load((PROJECT / "dbt_project.yml").read_text(encoding="utf-8"))
    defaults = {key: tuple(keys) for key, keys in project["vars"]["tag_keys"].items()}
    assert defaults == TagSettings().model_dump()
