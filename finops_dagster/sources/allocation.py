"""Reads the allocation file: teams, ordered rules and shared costs.

What is in it lives in domain; it is applied by dbt.
"""

from __future__ import annotations

from pathlib import Path

from finops_dagster.documents import read_typed
from finops_dagster.domain.allocation import Allocation
from finops_dagster.domain.errors import SettingsError

_PAGE = "docs/allocation.md"


def read_allocation(path: Path) -> Allocation:
    """The file at `path`. Raises SettingsError with a fault for each line at fault."""
    document = read_typed(Allocation, path, "an allocation file", _PAGE)
    faults = tuple(
        document.fault(place, f"Expected {wanted}.", f"See {_PAGE}.")
        for place, wanted in document.value.misfits()
    )
    if faults:
        raise SettingsError(f"{path} cannot be used: {len(faults)} to mend", faults)
    return document.value
