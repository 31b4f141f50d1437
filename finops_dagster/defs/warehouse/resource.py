"""dbt as a Dagster resource: of this environment, without calls to the outside or needless work."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, cast

from dagster_dbt import DbtCliResource
from packaging.version import Version
from pydantic import Field

if TYPE_CHECKING:
    from dbt.adapters.base.impl import BaseAdapter


class Dbt(DbtCliResource):
    """As its base, without what nobody asks of a build.

    That is `dbt --version` before each, which asks PyPI for news; an adapter made before each, of
    every macro there is; and the project's manifest written after each, as it was parsed. What
    dbt's results would say is in Dagster's events. It was a third of what a small build costs.
    """

    global_config_flags: list[str] = Field(default=["--no-write-json"])

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> BaseAdapter:
        make = super()._initialize_dbt_core_adapter
        return cast("BaseAdapter", _Later(lambda: make(args)))


class _Later:
    """An adapter that is made when it is first asked: only lineage that is not known asks it."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._made, name)
