"""How dbt resources become Dagster assets: keys, groups and descriptions.

The models themselves live in dbt_project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from finops_dagster.defs.jobs import CLOCK_TAG, LEDGER_JOB
from finops_dagster.defs.shared import OWNERS

_LANDING = "landing"
_LEDGER = "ledger"
_STAGE = "warehouse"


def asset_key(resource: Mapping[str, Any]) -> dg.AssetKey:
    """`landing/<table>` or `ledger/<table>` for sources, `warehouse/<layer>/<name>` for models."""
    if resource["resource_type"] == "source":
        stage = _LEDGER if resource["source_name"] == _LEDGER else _LANDING
        return dg.AssetKey([stage, resource["name"]])
    return dg.AssetKey([_STAGE, _topic(resource), resource["name"]])


def _topic(resource: Mapping[str, Any]) -> str:
    folders = list(resource["fqn"])[1:-1]
    return str(folders[0]) if folders else "seeds"


class Translator(DagsterDbtTranslator):
    """One translator for every dbt clock.

    `job` is what materialises its models; `checked` the partitions that its tests are told of.
    """

    def __init__(self, job: str, checked: dg.PartitionsDefinition[str] | None = None) -> None:
        self._job = job
        self._checked = checked
        super().__init__(
            settings=DagsterDbtTranslatorSettings(
                enable_asset_checks=True, enable_source_tests_as_checks=False
            )
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        # what is built of the ledger comes after the stages it tells of
        return _LEDGER if self._job == LEDGER_JOB else _STAGE

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or self._checked is None:
            return spec
        return spec._replace(partitions_def=self._checked)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        owner = dbt_resource_props.get("meta", {}).get("owner")
        return [f"team:{owner}"] if owner else OWNERS

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        return {CLOCK_TAG: self._job}
