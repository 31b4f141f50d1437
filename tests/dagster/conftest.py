"""The definitions of a small estate, loaded once; nothing in them is run.

What is asked of them is in the modules beside this one.
"""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from finops_dagster import demo
from finops_dagster.definitions import build_defs
from finops_dagster.settings import Settings, load

DAYS = 40


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of an estate of a few weeks, whose day is fixed."""
    folder = tmp_path_factory.mktemp("estate")
    demo.create(folder, seed=5, days=DAYS)
    file = folder / "finops.yaml"
    file.write_text(f"{file.read_text()}\nhistory_days: 28\n")
    return load(file)


@pytest.fixture(scope="session")
def definitions(settings: Settings) -> dg.Definitions:
    return build_defs(settings)


@pytest.fixture(scope="session")
def graph(definitions: dg.Definitions) -> object:
    return definitions.resolve_asset_graph()


@pytest.fixture(scope="session")
def root() -> Path:
    return Path(__file__).resolve().parents[2]
