"""Column lineage of marts: told once for what their SQL says, and again when it says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from finops_dagster.defs.warehouse import lineage

NODE = {
    "unique_id": "model.finops.fct_costs",
    "package_name": "finops",
    "original_file_path": "models/fct_costs.sql",
}


class Told:
    """Stands for what reads SQL: the lineage that it tells is the SQL, and it counts."""

    def __init__(self, project: Path) -> None:
        self.project, self.asked = project, 0

    def __call__(self, events: Iterator[Any], invocation: Any) -> Told:
        return self

    def fetch_column_metadata(self) -> Iterator[dg.AssetMaterialization]:
        self.asked += 1
        column = self._compiled().read_text("utf-8").split()[1]
        deps = {column: [dg.TableColumnDep(asset_key=dg.AssetKey("stg"), column_name=column)]}
        told = dg.TableColumnLineage(deps)
        yield dg.AssetMaterialization("fct_costs", metadata={"dagster/column_lineage": told})

    def of(self, sql: str, parsing: str = "first") -> Any:
        """The lineage of a mart with this SQL, and how often SQL was read until then."""
        self._compiled().parent.mkdir(parents=True, exist_ok=True)
        self._compiled().write_text(sql, encoding="utf-8")
        invocation: Any = SimpleNamespace(
            project_dir=self.project,
            target_path=self.project / "target" / "run",
            manifest={"metadata": {"invocation_id": parsing}},
        )
        value = lineage.column_lineage(invocation, NODE, None)["dagster/column_lineage"]
        return list(getattr(value, "value", value).deps_by_column), self.asked

    def _compiled(self) -> Path:
        return self.project / "target" / "run" / "compiled" / "finops" / "models" / "fct_costs.sql"


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Told:
    made = Told(tmp_path)
    monkeypatch.setattr(lineage, "DbtEventIterator", made)
    return made


def test_sql_of_another_day_is_not_read_again(told: Told) -> None:
    first = told.of("select cost from stg where day = '2026-01-01' limit 10")
    assert first == (["cost"], 1)
    assert told.of("select cost from stg where day = 'it''s 2026' limit 200") == first


def test_sql_that_says_otherwise_is_read(told: Told) -> None:
    told.of("select cost from stg")
    assert told.of("select price from stg") == (["price"], 2)


def test_a_project_that_was_parsed_anew_is_read_again(told: Told) -> None:
    told.of("select cost from stg")
    assert told.of("select cost from stg", parsing="second") == (["cost"], 2)
