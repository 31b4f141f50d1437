"""dbt as a Dagster resource: of this environment, and without calls to the outside."""

from __future__ import annotations

from functools import cached_property
from importlib.metadata import version

from dagster_dbt import DbtCliResource
from packaging.version import Version


class Dbt(DbtCliResource):
    """As its base, which would run `dbt --version` before each build: that asks PyPI for news."""

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))
