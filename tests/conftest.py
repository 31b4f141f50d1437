"""What every test shares: a property test may take its time on a machine that is busy."""

from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

END_TO_END = Path(__file__).parent / "e2e"
DBT = Path(__file__).parent / "dbt"
MAKES_THE_ESTATE = "test_loop.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first, so that workers end together; others while one makes the shared estate."""
    shared = {item.path for item in items if "world" in getattr(item, "fixturenames", ())}

    def turn(item: pytest.Item) -> int:
        if item.path.parent == DBT:
            return 2  # long too, and nobody waits for the estate by them
        if item.path.parent != END_TO_END:
            return 4
        if item.path.name == MAKES_THE_ESTATE:
            return 0
        return 3 if item.path in shared else 1

    items.sort(key=turn)
